# Is the double as unkind as the API that it stands for? Facts of Rails' and Puma's that the sidecar meets in production;
# a double that is kinder would let it pass where it fails there.
require_relative 'api'
require 'io/wait'

# What comes on a connection until it is closed, or for as long as is waited.
def exchange(port, bytes, within: 2)
  socket = TCPSocket.new('127.0.0.1', port)
  socket.write(bytes)
  raw = +''.b
  raw << socket.readpartial(65_536) while socket.wait_readable(within)
  raw
rescue EOFError, SystemCallError
  raw
ensure
  socket&.close
end

BROWSER = ['Origin: https://portal.example'].freeze

def framing(answer) = [answer.status, answer['Transfer-Encoding'], answer['Content-Length'] && 'length']

checks = Checks.new
Stack.run(environment: { 'RACK_TIMEOUT_SERVICE_TIMEOUT' => '1' }) do |stack|
  api = stack.backend
  plain = api.get('/api/v1/projects', forwarded: false)
  checks.equal 'a plain request is sent to https', [301, "https://127.0.0.1:#{api.port}/api/v1/projects"], [plain.status, plain['Location']]
  api.log_in
  project = api.create_project('a & b').json['id']
  api.initialize_project(project)
  upload = api.create_upload(project)

  checks.equal 'the page for a probe is below /api/v1', [404, 200], ['/app/status', '/api/v1/app/status'].map { |path| api.get(path, token: nil).status }
  checks.equal 'JSON comes in chunks, whatever its status: Rails\' middleware hides the length', [[200, 'chunked', nil], [201, 'chunked', nil], [202, 'chunked', nil], [404, 'chunked', nil], [401, 'chunked', nil]],
               [api.get("/api/v1/projects/#{project}"), upload, api.create_project, api.get('/api/v1/projects/x'), api.get('/api/v1/projects', token: nil)].map { |answer| framing(answer) }
  checks.equal 'HEAD has neither', [200, nil, nil], framing(api.head("/api/v1/projects/#{project}"))
  missing = api.get('/api/v1/nothing')
  checks.that 'no route is a 404 in HTML, with a length', missing.status == 404 && missing['Content-Type'].start_with?('text/html') && missing.body.start_with?('<!DOCTYPE html>') && missing['Content-Length'], missing
  checks.equal 'a method that is not allowed is a 405 of Grape\'s own shape', [405, '{"error":"405 Not Allowed"}'], api.ask('PATCH', '/api/v1/projects').then { |answer| [answer.status, answer.body] }
  checks.equal 'parameters are looked at before the token', [400, 'name is missing, content_type is missing, size is missing'],
               api.post("/api/v1/projects/#{project}/uploads", json: {}, token: nil).then { |answer| [answer.status, answer.json['error']] }
  checks.equal 'the error is a string for a 404, a number for a 401', ['404', 401], [api.get('/api/v1/projects/x'), api.get('/api/v1/projects', token: nil)].map { |answer| answer.json['error'] }

  page = api.get('/api/v1/projects?per_page=1')
  checks.equal 'on the first page there is no previous one: a field without a value', ['2', ''], [page['X-Total'], page['X-Prev-Page']]
  checks.that 'the ETag is weak, and means a revalidation', page['ETag'].start_with?('W/"') && page['Cache-Control'] == 'max-age=0, private, must-revalidate', page
  checks.equal 'who knows it gets a 304', 304, api.get('/api/v1/projects?per_page=1', fields: ["If-None-Match: #{page['ETag']}"]).status
  checks.equal 'a request id is kept', 'mine', api.get('/', fields: ['X-Request-Id: mine'])['X-Request-Id']
  checks.that '&, < and > leave as escapes', api.get("/api/v1/projects/#{project}").body.include?('a \u0026 b')

  preflight = api.options('/whatever', token: nil, fields: [*BROWSER, 'Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: x-a, x-b'])
  checks.equal 'a preflight of any path is answered before Rails, empty and in chunks', [200, 'chunked', '', 'x-a, x-b', '0', nil],
               [preflight.status, preflight['Transfer-Encoding'], preflight.body, preflight['Access-Control-Allow-Headers'], preflight['Access-Control-Max-Age'], preflight['X-Request-Id']]
  checks.equal 'a preflight is not sent to https', 200, api.options('/x', token: nil, forwarded: false, fields: [*BROWSER, 'Access-Control-Request-Method: GET']).status
  checks.equal 'rack-cors says what it did, to all', ['hit', 'miss; no-origin'], [api.get('/', fields: BROWSER), api.get('/')].map { |answer| answer['X-Rack-CORS'] }
  cors = api.get('/api/v1/projects/x', fields: BROWSER)
  checks.equal 'an error can be read by a browser, too', [404, '*'], [cors.status, cors['Access-Control-Allow-Origin']]

  api.complete(upload.json['id'])
  file = api.create_file(project, upload.json['id']).json['id']
  checks.equal 'a second completion is refused', 400, api.complete(upload.json['id']).status
  pending = api.create_upload(project).json['id']
  checks.equal 'a file of an upload that is not complete is refused', 400, api.create_file(project, pending).status
  checks.equal 'a deleted file is shown, but its url is not', [204, 200, true, 404],
               [api.delete("/api/v1/files/#{file}").status, *api.get("/api/v1/files/#{file}").then { |answer| [answer.status, answer.json['is_deleted']] }, api.get("/api/v1/files/#{file}/url").status]

  unless File.read(stack.puma.log).include?('without rack-timeout')
    checks.equal 'what takes too long is a 500', 500, api.get('/test/slow?seconds=3').status
    checks.equal 'and what has waited too long, by X-Request-Start', 500, api.get('/api/v1/projects', fields: [format('X-Request-Start: t=%.3f', Time.now.to_f - 100)]).status
    checks.equal 'a short wait is none of its business', 200, api.get('/api/v1/projects', fields: [format('X-Request-Start: t=%.3f', Time.now.to_f - 1)]).status
  end

  head = "Host: a\r\nX-Forwarded-Proto: https\r\nAuthorization: #{api.token}\r\n"
  json = { name: 'n', description: 'd' }.to_json
  if File.read(stack.puma.log).include?('Puma version: 5.') # DDS's; later ones may be kinder
    pipelined = exchange(api.port, "POST /api/v1/projects HTTP/1.1\r\n#{head}Content-Type: application/json\r\nContent-Length: #{json.bytesize}\r\n\r\n#{json}GET /api/v1/projects HTTP/1.1\r\n#{head}\r\n")
    checks.equal 'Puma takes a request that is pipelined behind a body for part of the body', 1, pipelined.scan('HTTP/1.1 ').size
    old = exchange(api.port, "GET /api/v1/projects HTTP/1.0\r\n#{head}Connection: keep-alive\r\n\r\n", within: 1)
    checks.that 'and answers HTTP/1.0 with keep-alive so that nobody knows where it ends', old.start_with?('HTTP/1.0 200') && !old.match?(/content-length|transfer-encoding|connection: close/i), old
  end
  checks.equal 'two lengths are a 400', '400', exchange(api.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")[9, 3]
end

Stack.run(environment: { 'CORS_ORIGINS' => 'https://portal.example' }) do |stack|
  allowed, other = ['https://portal.example', 'https://elsewhere.example'].map { |origin| stack.backend.get('/api/v1/projects', fields: ["Origin: #{origin}"]) }
  checks.equal 'with CORS_ORIGINS only those are allowed', ['https://portal.example', nil], [allowed, other].map { |answer| answer['Access-Control-Allow-Origin'] }
end

checks.finish
