# The legacy API's stack as it runs in production: Rails with its own middleware, rack-cors outermost, rack-timeout, TLS
# enforced, Grape mounted at /, and what a platform may add (Rack::Deflater); app/api/dds has the status endpoint of
# deploy/, as its README says. Environment: DATABASE_URL, SIDECAR_SECRET; READY_AFTER (seconds; without it a test says
# when), LATENCY (seconds), SHOW_ROUTE=1 (an answer names the route that took the request), NEW_RELIC=1 (a double that tells
# what it was asked).
require 'rails'
require 'action_controller/railtie'
require 'active_record/railtie'
require 'grape'
require 'rack/cors'
begin
  require 'rack-timeout' # by its railtie behind ActionDispatch::RequestId, 15 s of service
rescue LoadError
  warn 'without rack-timeout'
end

class ShowRoute < Struct.new(:app)
  STATUS = '/internal/consistency'.freeze

  def call(env)
    app.call(env).tap do |status, headers, _|
      headers['X-Route'] = 'GET /consistency' if env['SCRIPT_NAME'] == STATUS && status != 404
      taken = env['grape.routing_args'] or next
      headers['X-Route'] = "#{taken[:route_info].request_method} #{taken[:route_info].pattern.origin}"
      headers['X-Route-Id'] = [(taken[:id] || taken[:project_id]).to_s].pack('m0')
      headers['X-Info'] = Rack::Request.new(env).GET.key?('info') ? 'yes' : 'no'
    end
  rescue Rack::QueryParser::InvalidParameterError, Rack::QueryParser::ParameterTypeError
    [400, {}, []]
  end
end

# An API that works for its answers.
class Latency < Struct.new(:app)
  def call(env)
    sleep Float(ENV.fetch('LATENCY'))
    app.call(env)
  end
end

if ENV.key?('NEW_RELIC')
  module NewRelic
    module Agent
      def self.ignore_transaction = $stderr.puts('new relic: ignored')
    end
  end
end

class DukeDataService < Rails::Application
  config.root = __dir__
  config.paths.add File.join('app', 'api'), glob: File.join('**', '*.rb')
  config.eager_load = true
  config.cache_classes = true
  config.consider_all_requests_local = false
  config.logger = Logger.new($stderr)
  config.log_level = :fatal
  config.secret_key_base = 'a key for tests'
  config.force_ssl = true
  config.middleware.insert_before 0, Rack::Cors, debug: true, logger: -> { Rails.logger } do
    allow do
      origins ENV['CORS_ORIGINS']&.split(',') || '*'
      resource '*', headers: :any, methods: %i[get post delete put options head], max_age: 0,
                    expose: %w[X-Total X-Total-Pages X-Page X-Per-Page X-Next-Page X-Prev-Page]
    end
  end
  config.middleware.insert_after Rack::Cors, Rack::Deflater
  config.middleware.insert_after Rack::Cors, Latency if ENV.key?('LATENCY')
  config.middleware.insert_after Rack::Cors, ShowRoute if ENV.key?('SHOW_ROUTE')
end

ActiveRecord::Base.establish_connection(ENV.fetch('DATABASE_URL'))
require_relative 'dds_models'
require_relative 'dds_api'
require_relative 'test_control'
DukeDataService.initialize!
ActiveRecord::Base.connection_pool.with_connection { Jobs.resume }

Rails.application.routes.draw do
  mount DDS::Consistency, at: '/internal/consistency'
  mount TestControl, at: '/test'
  mount DDS::Base, at: '/'
  root to: redirect('/apidocs', status: 302)
end
run Rails.application
