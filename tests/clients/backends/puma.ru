# Rack on Puma, as the DDS runs it. For threads and ports: run.py.
require 'digest'
require 'json'
require 'stringio'
require 'zlib'

OF_THE_CONNECTION = %w[HTTP_CONNECTION HTTP_KEEP_ALIVE HTTP_TE HTTP_UPGRADE HTTP_HTTP2_SETTINGS HTTP_VERSION].freeze

def packed(text)
  out = StringIO.new
  gzip = Zlib::GzipWriter.new(out)
  gzip.mtime = 1
  gzip.write(text)
  gzip.close
  out.string
end

run(lambda do |env|
  body = env['rack.input'].read
  case env['PATH_INFO']
  when '/echo'
    fields = env.select { |name, _| name.start_with?('HTTP_', 'CONTENT_') && !OF_THE_CONNECTION.include?(name) }.sort
    seen = { method: env['REQUEST_METHOD'], target: env['REQUEST_URI'], fields: fields,
             body: [body.bytesize, Digest::SHA256.hexdigest(body)] }
    [200, { 'Content-Type' => 'application/json' }, [JSON.generate(seen)]]
  when '/chunked' then [200, { 'Content-Type' => 'text/plain' }, %W[one #{'two' * 1000} three].each]
  when '/large' then [200, {}, [(0..255).to_a.pack('C*') * 4096]]
  when '/empty' then [204, {}, []]
  when '/etag'
    fresh = env['HTTP_IF_NONE_MATCH'] == '"v1"'
    [fresh ? 304 : 200, { 'ETag' => '"v1"' }, fresh ? [] : ['tagged']]
  when '/redirect' then [302, { 'Location' => '/echo?redirected' }, []]
  when '/gzip' then [200, { 'Content-Encoding' => 'gzip' }, [packed('packed' * 100)]]
  when '/close' then [200, { 'Connection' => 'close' }, ['until the end']]
  else [404, { 'Content-Type' => 'text/plain' }, ['no such thing']]
  end
end)
