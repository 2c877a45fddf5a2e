# Ruby: Net::HTTP.
require 'json'
require 'net/http'
require 'stringio'

base = URI(ARGV[0])
note = lambda do |operation, response|
  fields = response.to_hash.flat_map { |name, values| values.map { |value| [name, value] } }
  puts JSON.generate([operation, response.code.to_i, fields, (response.body || '').dup.force_encoding('iso-8859-1').encode('utf-8')])
end

def made(kind, path, body = nil, fields = {})
  request = Net::HTTP.const_get(kind).new(path, fields)
  request.body = body if body
  request
end

operations = [
  ['get', made(:Get, '/echo?x=1&y=a%20b')],
  ['head', made(:Head, '/echo')],
  ['post', made(:Post, '/echo', 'hello', 'X-Case' => 'A', 'Content-Type' => 'text/plain')],
  ['post nothing', made(:Post, '/echo', '', 'Content-Type' => 'text/plain')],
  ['put a MiB', made(:Put, '/echo', 'x' * (1 << 20), 'Content-Type' => 'text/plain')],
  ['patch', made(:Patch, '/echo', '[]', 'Content-Type' => 'application/json')],
  ['delete', made(:Delete, '/echo')],
  ['options', made(:Options, '/echo')],
  ['stale', made(:Get, '/etag', nil, 'If-None-Match' => '"v1"')],
  ['expect', made(:Post, '/echo', 'hello', 'Expect' => '100-continue', 'Content-Type' => 'text/plain')],
  *%w[chunked trailers large empty redirect gzip close missing].map { |path| [path, made(:Get, "/#{path}")] }
]
chunked = Net::HTTP::Post.new('/echo', 'Transfer-Encoding' => 'chunked', 'Content-Type' => 'text/plain')
chunked.body_stream = StringIO.new('hello world' * 1000)
operations << ['post chunks', chunked]

operations.each do |operation, request|
  Net::HTTP.start(base.host, base.port, read_timeout: 20) { |http| note.call(operation, http.request(request)) }
end
Net::HTTP.start(base.host, base.port, read_timeout: 20) do |http|
  5.times do |turn|
    request = turn.odd? ? made(:Post, "/echo?#{turn}", 'again', 'Content-Type' => 'text/plain') : made(:Get, "/echo?#{turn}")
    note.call("kept #{turn}", http.request(request))
  end
end
