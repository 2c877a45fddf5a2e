# The legacy API of tests/grape with the status endpoint of deploy/. WITHOUT_ETAG: one that knows no entity tags.
class WithoutETag < Struct.new(:app)
  def call(env)
    env.delete('HTTP_IF_NONE_MATCH')
    app.call(env).tap { |_, headers, _| headers.delete('ETag') }
  end
end

use WithoutETag if ENV.key?('WITHOUT_ETAG')
run [*Rack::Builder.parse_file(File.expand_path('../../tests/grape/config.ru', __dir__))].first
