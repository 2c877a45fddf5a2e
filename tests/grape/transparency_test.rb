# What the backend receives and what the client gets through the sidecar is, byte for byte, what passes without it: each
# request is sent straight to a recording relay before Puma, then through the sidecar to the same relay, and both records
# are compared. What may differ: hop-by-hop fields, and what the backend makes anew each time (X-Runtime, and in answers
# to requests that create: ids, times, tokens). usage: transparency_test.rb SIDECAR
require_relative 'api'

# A message without its hop-by-hop fields.
def comparable(bytes, fresh: false)
  bytes = bytes.b.gsub(/^(X-Runtime: )[\d.]+\r$/, "\\1-\r").gsub(/^(?:Connection|Keep-Alive|Proxy-Connection): [^\r\n]*\r\n/i, '')
  bytes = bytes.gsub(/\x1f\x8b\x08\x00.{4}/mn, 'GZIP') # and when it was compressed
  return bytes unless fresh
  bytes.gsub(/\h{8}-\h{4}-4\h{3}-\h{4}-\h{12}/, 'UUID').gsub(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME').gsub(%r{W/"\h+"}, 'TAG')
       .gsub(/"etag":"\h{32}"/, 'ETAG').gsub(/"api_token":"[^"]+"/, 'TOKEN').gsub(/"expires_on":\d+/, 'EXPIRY').gsub(/temp_url_sig=\h+/, 'SIG')
end

def difference(one, other)
  return "nothing came: #{one.inspect[0, 300]}" if one == other
  at = (0...[one.size, other.size].max).find { |i| one[i] != other[i] }
  "at #{at}: direct  #{one[[at - 60, 0].max, 160].inspect}\n#{' ' * at.to_s.size}    sidecar #{other[[at - 60, 0].max, 160].inspect}"
end

class Comparison
  def initialize(checks, stack)
    @checks, @stack = checks, stack
    @direct, @proxied = stack.direct, stack.proxied
    @proxied.log_in
    @direct.token = @proxied.token
    @sent = 0
  end

  # Both ways with the same Host and request id, so that nothing of the request differs.
  def same(sentence, method, target, fields: [], fresh: false, **options)
    fields = ['Host: dds.example', "X-Request-Id: request-#{@sent += 1}", *fields]
    direct, proxied = [@direct, @proxied].map do |client|
      @stack.relay.take
      answer = client.ask(method, target, fields: fields, **options)
      [@stack.relay.take[0], answer.raw].map { |bytes| comparable(bytes, fresh: fresh) }
    end
    ['the backend receives', 'the client gets'].zip(direct, proxied) do |what, one, other|
      equal = one == other && !one.empty?
      @checks.that "#{sentence}: #{what} the same", equal, (difference(one, other) unless equal)
    end
  end
end

checks = Checks.new
Stack.run(sidecar: ARGV.fetch(0)) do |stack|
  owner = stack.backend.tap(&:log_in)
  project = owner.create_project('a & b <c> "é" 日本').json['id']
  owner.initialize_project(project)
  upload = owner.create_upload(project).json['id']
  owner.complete(upload)
  owner.settle_upload(upload)
  file = owner.create_file(project, upload).json['id']
  checks.eventually('the first poll comes') { stack.relay.polls.positive? }
  compare = Comparison.new(checks, stack)
  json = { name: 'n', description: 'd' }
  to_upload = { name: 'reads', content_type: 'text/plain', size: 1 }

  { 'a project' => "/projects/#{project}", 'with the query of DukeDSClient' => "/projects/#{project}?%7B%7D", 'with an empty query' => "/projects/#{project}?",
    'with another query' => "/projects/#{project}?information&x=%69nfo;y=1&&=", 'a list with paging headers, some empty' => '/projects?page=1&per_page=2',
    'a list behind its end' => '/projects?page=9', 'a file' => "/files/#{file}/", 'its url' => "/files/#{file}/url", 'an upload' => "/uploads/#{upload}",
    "a project's files" => "/projects/#{project}/files", 'doubled slashes' => "//projects///#{project}//", 'an encoded slash' => "/projects/a%2Fb",
    'encoded letters' => "/%70rojects/#{project}", 'dot segments' => "/x/../projects/./#{project}", 'parameters in the path' => "/projects/#{project};v=1",
    'odd characters' => "/projects/~!$&'()*+,;=:@-._", 'bytes that are no UTF-8' => '/projects/%FF%00%C3', 'no such id' => '/projects/none', 'no such route' => '/nothing',
    'a long path' => "/projects/#{'x' * 7000}", 'a long query' => "/projects?q=#{'x' * 9000}" }
    .each { |sentence, path| compare.same(sentence, 'GET', "/api/v1#{path}") }
  compare.same('outside the API', 'GET', '/')
  compare.same('the page for a probe', 'GET', '/api/v1/app/status', token: nil)
  compare.same('where probes find nothing', 'GET', '/app/status', token: nil)
  compare.same('what Rails sends to https', 'GET', "/api/v1/projects/#{project}", forwarded: false)
  compare.same('what has waited too long, by X-Request-Start', 'GET', "/api/v1/projects/#{project}", fields: ['X-Request-Start: t=1400000000.000'])
  compare.same('nor there anything', 'GET', '/apidocs?x#y'.delete('#'))

  { 'compressed' => 'Accept-Encoding: gzip', 'as browsers ask' => 'Accept-Encoding: gzip, deflate, br;q=0.9', 'unencoded' => 'Accept-Encoding: identity',
    'known already' => "If-None-Match: #{owner.get("/api/v1/projects/#{project}")['ETag']}", 'known otherwise' => 'If-None-Match: W/"x", "y"', 'a range' => 'Range: bytes=0-9',
    'from a browser' => 'Origin: https://portal.example', 'odd case and blanks' => "x-ODD-case:   a \t b  ", 'an empty value' => 'X-Empty;',
    'bytes above ASCII' => "X-Latin: \xE9\xFF".b, 'forwarded by others' => 'X-Forwarded-For: 1.2.3.4', 'a queue time' => 'X-Request-Start: t=1', 'cookies' => 'Cookie: a=b; c=d',
    'another Accept' => 'Accept: text/html;q=0.1, */*', 'a large field' => "X-Large: #{'y' * 60_000}", 'priority' => 'TE: trailers' }
    .each { |sentence, field| compare.same(sentence, 'GET', "/api/v1/projects/#{project}", fields: [field]) }
  compare.same('repeated fields, where they stood', 'GET', "/api/v1/projects/#{project}", fields: ['X-A: 1', 'X-B: 2', 'x-a: 3', 'X-A: 1'])
  compare.same('many fields', 'GET', "/api/v1/projects/#{project}", fields: Array.new(90) { |i| "X-Field-#{i}: #{i}" })
  compare.same('no token', 'GET', "/api/v1/projects/#{project}", token: nil)
  compare.same('a bad token', 'GET', "/api/v1/projects/#{project}", token: 'a.b.c')

  compare.same('HEAD', 'HEAD', "/api/v1/projects/#{project}")
  compare.same('OPTIONS of a browser', 'OPTIONS', "/api/v1/projects/#{project}/uploads", token: nil,
                                        fields: ['Origin: https://portal.example', 'Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: authorization'])
  compare.same('OPTIONS', 'OPTIONS', '/api/v1/projects')
  compare.same('a method that is not allowed', 'PATCH', '/api/v1/projects')
  compare.same('a method that Rails does not know', 'FROBNICATE', '/api/v1/projects')

  compare.same('an agent gets a token', 'POST', '/api/v1/software_agents/api_token', json: { agent_key: 'owner-agent', user_key: 'owner-key' }, fresh: true)
  compare.same('unknown keys', 'POST', '/api/v1/software_agents/api_token', json: { agent_key: 'x', user_key: 'y' })
  compare.same('a new project', 'POST', '/api/v1/projects', json: json, fresh: true)
  compare.same('parameters missing', 'POST', '/api/v1/projects', json: {})
  compare.same('parameters wrong', 'POST', '/api/v1/projects', json: { name: '', description: '' })
  compare.same('JSON that is none', 'POST', '/api/v1/projects', body: '{"name":', fields: ['Content-Type: application/json'])
  compare.same('a form', 'POST', '/api/v1/projects', body: 'name=a%26b&description=c', fresh: true, fields: ['Content-Type: application/x-www-form-urlencoded'])
  compare.same('another method in disguise', 'POST', "/api/v1/projects/#{project}", body: '', fields: ['X-HTTP-Method-Override: GET'])
  compare.same('an upload into a ready project', 'POST', "/api/v1/projects/#{project}/uploads", json: to_upload, fresh: true)
  compare.same('and one without chunks', 'POST', "/api/v1/projects/#{project}/uploads", json: to_upload.merge(chunked: false), fresh: true)
  compare.same('parameters of an upload missing', 'POST', "/api/v1/projects/#{project}/uploads", json: {})
  compare.same('a chunk', 'PUT', "/api/v1/uploads/#{upload}/chunks", json: { number: 1, size: 1, hash: { value: 'v', algorithm: 'md5' } })
  compare.same('complete, once more than allowed', 'PUT', "/api/v1/uploads/#{upload}/complete", json: { hash: { value: 'v', algorithm: 'md5' } })
  compare.same('a new file', 'POST', '/api/v1/files/', json: { parent: { kind: 'dds-project', id: project }, upload: { id: upload } }, fresh: true)
  compare.same('a new label', 'PUT', "/api/v1/files/#{file}", json: { label: 'new' })
  compare.same('a chunked request', 'PUT', "/api/v1/files/#{file}", json: { label: 'chunked' }, fields: ['Transfer-Encoding: chunked'])
  compare.same('a large one, with Expect', 'PUT', "/api/v1/files/#{file}", json: { label: 'x', padding: 'y' * 2_000_000 }, fields: ['Expect: 100-continue'])
  compare.same('a large chunked one', 'PUT', "/api/v1/files/#{file}", json: { label: 'x', padding: 'y' * 300_000 }, fields: ['Transfer-Encoding: chunked'])
  2.times { |round| compare.same("deleted#{', once more' if round == 1}", 'DELETE', "/api/v1/projects/#{project}") } if owner.delete("/api/v1/projects/#{project}").status == 204
  other = owner.create_project.json['id']
  compare.same('deleted things are still shown', 'GET', "/api/v1/projects/#{project}")
  compare.same('what is not ready, without a token', 'POST', "/api/v1/projects/#{other}/uploads", json: to_upload, token: nil)

  # Puma itself would take the second request for part of the first one's body.
  head = "Host: dds.example\r\nX-Forwarded-Proto: https\r\nAuthorization: #{owner.token}\r\n"
  body = json.to_json
  answers = TCPSocket.open('127.0.0.1', stack.proxied.port) do |socket|
    socket.write("POST /api/v1/projects HTTP/1.1\r\n#{head}Content-Type: application/json\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}" \
                 "GET /api/v1/projects HTTP/1.1\r\n#{head}Connection: close\r\n\r\n")
    socket.read
  end
  checks.equal 'what a client pipelines behind a body is a request of its own', %w[202 200], answers.scan(%r{^HTTP/1\.1 (\d+)}).flatten

  old = [stack.direct, stack.proxied].map { |client| client.tap { |one| one.token = owner.token }.get("/api/v1/projects/#{project}", options: ['--http1.0']) }
  checks.equal 'a client of HTTP/1.0 gets the same body, without chunks', [old[0].body, nil], [old[1].raw_body, old[1]['Transfer-Encoding']]
end
checks.finish
