# The sidecar's three behaviours in front of the legacy API, as a client lives through them: a project is made, uploaded
# into, its files become ready. usage: journey_test.rb SIDECAR
require_relative 'api'

GATE_BODY = '{"error":404,"code":"resource_not_consistent","reason":"resource changes are still being processed by system",' \
            '"suggestion":"this is a temporary state that will eventually be resolved by the system; please retry request"}'.freeze

def consistency(answer) = answer.json.dig('info', 'resource_consistency')
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
def upload_ready(ready, download) = { 'is_upload_ready' => ready, 'is_download_ready' => download }

checks = Checks.new
# Polls that the backend does not hold would be too far apart for what follows.
Stack.run(sidecar: ARGV.fetch(0), configuration: { 'status' => { 'interval' => '6s' } }) do |stack|
  client, backend, relay = stack.proxied, stack.backend, stack.relay
  token = client.log_in
  checks.equal 'a token comes through', 201, token.status
  backend.token = client.token
  checks.eventually('the first poll comes') { relay.polls.positive? }

  # A poll may fall between the two requests: then it is no proof, and another project gives one.
  made = refused = nil
  proven = 5.times.any? do
    relay.take
    before = relay.polls
    made = client.create_project
    refused = client.create_upload(made.json['id'])
    relay.polls == before
  end
  project = made.json['id']
  checks.equal 'a project is accepted', 202, made.status
  checks.that 'an upload at once, before any poll could tell', proven
  checks.equal 'is refused with the very body of the proposal', [404, GATE_BODY], [refused.status, refused.raw_body]
  checks.that 'as JSON with a length and Retry-After', refused['Content-Type'] == 'application/json' &&
              refused['Content-Length'] == GATE_BODY.bytesize.to_s && refused['Retry-After'] == '1' && refused.head.start_with?('HTTP/1.1 404 Not Found'), refused
  checks.that 'and the backend never saw it', !relay.take[0].include?('/uploads')

  info = client.get("/api/v1/projects/#{project}?info")
  plain = backend.get("/api/v1/projects/#{project}")
  member = ',"info":{"resource_consistency":{"is_upload_ready":false,"is_download_ready":'
  checks.that '?info says so, spliced in before the last brace and nothing else changed',
              info.body.start_with?(plain.body.chop + member) && info.body.end_with?('}}}'), info
  checks.eventually('an empty project is ready for downloads, once a poll has told') do
    consistency(client.get("/api/v1/projects/#{project}?info")) == upload_ready(false, true)
  end
  checks.equal 'without ?info nothing is added', plain.body, client.get("/api/v1/projects/#{project}").body
  checks.equal 'nor for ?information', plain.body, client.get("/api/v1/projects/#{project}?information").body
  checks.equal 'nor for the query that DukeDSClient sends', plain.body, client.get("/api/v1/projects/#{project}?%7B%7D").body

  aliases = %W[projects/#{project}/uploads.json projects/#{project}/uploads/ /projects/#{project}//uploads //projects/#{project.upcase}/uploads
               projects/#{project}/%75ploads %70rojects/#{project}/uploads%2ejson projects/#{project.sub('-', '%2d')}/uploads.foo/ projects/#{project}/uploads?x=1]
  aliases.each do |path|
    answers = [client, backend].map { |one| one.create_upload(project, path: "/api/v1/#{path}") }
    checks.equal "`#{path.sub(project, 'ID')}`, the same endpoint to the backend, does not get round the gate",
                 [[404, 404], GATE_BODY, 'resource_not_consistent'], [answers.map(&:status), answers[0].raw_body, answers[1].code]
  end

  anonymous = client.create_upload(project, token: nil)
  checks.equal "without a token the backend's own 401 comes first", [401, 'no api_token'], [anonymous.status, anonymous.json['reason']]
  logged_out = client.create_upload(project, token: nil, fields: ['Authorization;'])
  checks.equal 'with an empty one too, as the portal sends it', [401, 'invalid api_token'], [logged_out.status, logged_out.json['reason']]
  unknown = client.create_upload('00000000-0000-4000-8000-000000000000')
  checks.equal "an unknown project is the backend's to refuse", ['404', 'Project Not Found'], unknown.json.values_at('error', 'reason')
  overridden = client.create_upload(project, fields: ['X-HTTP-Method-Override: PUT'])
  checks.equal 'a POST that Rails takes for another method passes', 405, overridden.status

  browser = ['Origin: https://portal.example']
  preflight = client.options("/api/v1/projects/#{project}/uploads", token: nil, fields: [*browser, 'Access-Control-Request-Method: POST',
                                                                                      'Access-Control-Request-Headers: authorization,content-type'])
  checks.that 'a preflight is the backend\'s', preflight.status == 200 && preflight['Access-Control-Max-Age'] == '0' && preflight['Access-Control-Allow-Headers'] == 'authorization,content-type', preflight
  own = client.create_upload(project, fields: browser)
  checks.equal 'the gate\'s 404 can be read by a browser from another origin', [404, '*'], [own.status, own['Access-Control-Allow-Origin']]
  checks.equal 'without an origin there is no CORS header', nil, refused['Access-Control-Allow-Origin']

  backend.initialize_project(project)
  upload = nil
  checks.eventually('the project is initialised, and the upload passes') { (upload = client.create_upload(project)).status == 201 }
  checks.that 'with what the backend says of chunks', upload['X-MIN-CHUNK-UPLOAD-SIZE'] && upload['X-MAX-CHUNK-UPLOAD-SIZE'], upload
  initialized = now
  backend.initialize_project(again = client.create_project.json['id'])
  checks.eventually('a held poll tells of a change at once') { client.create_upload(again).status == 201 }
  checks.that 'and not an interval later', now - initialized < 4, "#{now - initialized} s"
  checks.equal '?info says ready', upload_ready(true, true), consistency(client.get("/api/v1/projects/#{project}?info"))
  stranger = stack.proxied
  stranger.log_in('stranger')
  checks.equal 'the backend\'s 403 passes too', 403, stranger.create_upload(project).status

  upload = upload.json['id']
  checks.equal 'chunks', 200, client.put("/api/v1/uploads/#{upload}/chunks", json: { number: 1, size: 4096, hash: { value: 'a', algorithm: 'md5' } }).status
  checks.equal 'the upload is complete', 202, client.complete(upload).status
  backend.hand_out_urls(before_consistency: true)
  file = client.create_file(project, upload)
  checks.equal 'a file of it', 201, file.status
  file = file.json['id']
  url = client.get("/api/v1/files/#{file}/url?info")
  checks.equal 'its url says at once that it leads nowhere yet', { 'is_download_ready' => false }, consistency(url)
  checks.equal 'spliced in, and nothing else changed', "#{backend.get("/api/v1/files/#{file}/url").body.chop},\"info\":{\"resource_consistency\":{\"is_download_ready\":false}}}", url.body
  checks.eventually('its project is not ready for downloads') { consistency(client.get("/api/v1/projects/#{project}?info")) == upload_ready(true, false) }
  backend.settle_upload(upload)
  checks.eventually('checked, the file is ready') { consistency(client.get("/api/v1/files/#{file}/url?info")) == { 'is_download_ready' => true } }
  checks.equal 'and so is its project', upload_ready(true, true), consistency(client.get("/api/v1/projects/#{project}?info"))

  second = client.create_upload(project).json['id']
  client.complete(second)
  checks.equal 'a new version', 200, client.put("/api/v1/files/#{file}", json: { upload: { id: second } }).status
  checks.equal 'makes the file unready at once', { 'is_download_ready' => false }, consistency(client.get("/api/v1/files/#{file}/url.json?a=b&%69nfo"))
  backend.hand_out_urls(before_consistency: false)
  later = client.get("/api/v1/files/#{file}/url?info")
  checks.equal 'where the backend itself says 404, it is its own', [404, '404', 'resource_not_consistent'], [later.status, *later.json.values_at('error', 'code')]
  backend.settle_upload(second, error_message: 'reported hash value does not match size computed by StorageProvider')
  checks.eventually('an integrity error passes as the 400 it is') { client.get("/api/v1/files/#{file}/url?info").status == 400 }

  target = "/api/v1/projects/#{project}?info"
  checks.eventually('all is ready again') { consistency(client.get(target)) == upload_ready(true, true) }
  tagged = client.get(target)
  tag = tagged['ETag']
  checks.that "the ETag is weak, as the backend's is, but another one", tag.start_with?('W/"') && tag != backend.get(target)['ETag'], tagged
  known = client.get(target, fields: ["If-None-Match: #{tag}"])
  checks.equal 'who knows it gets a 304 with the same one', [304, tag, ''], [known.status, known['ETag'], known.raw_body]
  checks.equal 'also within a list', 304, client.get(target, fields: ["If-None-Match: \"x\", #{tag.sub('W/', '')}"]).status
  checks.equal "who knows the backend's gets the whole", 200, client.get(target, fields: ["If-None-Match: #{backend.get(target)['ETag']}"]).status
  checks.equal "without ?info the backend's ETag counts", 304, client.get("/api/v1/projects/#{project}", fields: ["If-None-Match: #{backend.get(target)['ETag']}"]).status
  backend.settle_upload(second, done: false)
  changed = nil
  checks.eventually('a change of readiness alone changes the ETag') { (changed = client.get(target, fields: ["If-None-Match: #{tag}"])).status == 200 }
  checks.that 'and the answer with it', changed['ETag'] != tag && consistency(changed) == upload_ready(true, false), changed

  zipped = ['Accept-Encoding: gzip']
  spliced = client.get(target, fields: zipped)
  checks.equal 'an augmented answer is never compressed', [nil, upload_ready(true, false)], [spliced['Content-Encoding'], consistency(spliced)]
  checks.equal 'any other is, as the client wants it', ['gzip', plain.body], client.get("/api/v1/projects/#{project}", fields: zipped).then { |answer| [answer['Content-Encoding'], answer.body] }
  head = client.head(target)
  checks.equal 'a HEAD says nothing that would be untrue of the GET', [200, nil, nil], [head.status, head['Content-Length'], head['ETag']]

  %w[/internal/consistency /internal//consistency/ /internal/consistency.json /%69nternal/consistency?x].each do |path|
    asked = client.get(path, fields: ["X-Sidecar-Secret: #{SECRET}"])
    checks.equal "`#{path}` is not for clients", [404, 'not_provided'], [asked.status, asked.code]
  end
  checks.that 'and nothing of it reached the backend', !relay.take[0].include?('nternal/')

  checks.equal 'told to end, the sidecar ends cleanly', 0, stack.sidecar.stop&.exitstatus
  lines = File.readlines(stack.sidecar.log).map { |line| JSON.parse(line) }
  gated = lines.select { |line| line['reason'] == 'not_ready' && line['status'] == 404 }
  checks.that 'its log says which requests it answered, and why', gated.size > aliases.size && gated.all? { |line| line['rule'] == 'upload_gate' }, lines.first(20).join("\n")
  checks.equal 'nothing went wrong', [], lines.reject { |line| line['level'] == 'info' }
  checks.that 'and no secret is in it', [SECRET, client.token].none? { |secret| File.read(stack.sidecar.log).include?(secret) }
end
checks.finish
