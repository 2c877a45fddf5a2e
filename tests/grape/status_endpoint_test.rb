# The status endpoint that deploy/ offers for the legacy API, in Rails, on ActiveRecord: what it says of projects and
# files, and what it costs to hold a request.
require_relative 'api'

checks = Checks.new

def took
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  [yield, Process.clock_gettime(Process::CLOCK_MONOTONIC) - start]
end

Stack.run do |stack|
  api = stack.backend
  api.log_in

  empty = api.status
  checks.equal 'with nothing in process the document is empty', '{"projects":[],"files":[]}', empty.body
  checks.that 'it is JSON with a weak ETag', empty['Content-Type'] == 'application/json' && empty['ETag'].start_with?('W/"'), empty
  checks.equal 'without the secret it is a 403', 403, api.status(secret: 'guessed').status
  checks.equal 'and with an empty one', 403, api.status(secret: '').status

  project = api.create_project.json['id']
  checks.equal 'a new project is neither hidden nor ready for uploads',
               { 'projects' => [{ 'id' => project, 'is_upload_ready' => false, 'is_download_ready' => true }], 'files' => [] }, api.status.json
  checks.equal 'and POST uploads agrees', 'resource_not_consistent', api.create_upload(project).code
  api.initialize_project(project, provider: 's3')
  checks.equal 'another storage provider than the default one does not count', 1, api.status.json['projects'].size
  api.initialize_project(project)
  checks.equal 'initialised, it is listed no more', '{"projects":[],"files":[]}', api.status.body
  upload = api.create_upload(project)
  checks.equal 'and POST uploads agrees again', 201, upload.status
  checks.equal 'an upload that no file has makes nothing unready', '{"projects":[],"files":[]}', api.status.body

  upload = upload.json['id']
  api.complete(upload)
  file = api.create_file(project, upload).json['id']
  checks.equal 'a file of an upload under check is not ready, nor is its project for downloads',
               { 'projects' => [{ 'id' => project, 'is_upload_ready' => true, 'is_download_ready' => false }],
                 'files' => [{ 'id' => file, 'is_download_ready' => false }] }, api.status.json
  checks.equal 'and the url agrees', 'resource_not_consistent', api.get("/api/v1/files/#{file}/url").code
  api.settle_upload(upload)
  checks.equal 'checked, it is ready', '{"projects":[],"files":[]}', api.status.body
  checks.equal 'and the url agrees again', 200, api.get("/api/v1/files/#{file}/url").status

  second = api.create_upload(project).json['id']
  api.complete(second)
  api.put("/api/v1/files/#{file}", json: { upload: { id: second } })
  checks.equal 'a new version makes the file unready again', [file], api.status.json['files'].map { |entry| entry['id'] }
  api.settle_upload(second, error_message: 'reported hash value does not match size computed by StorageProvider')
  checks.equal 'an integrity error ends that: the url says 400 for good', '{"projects":[],"files":[]}', api.status.body
  checks.equal 'and the url agrees', 400, api.get("/api/v1/files/#{file}/url").status
  api.settle_upload(upload, done: false)
  checks.equal 'an older version does not count', '{"projects":[],"files":[]}', api.status.body
  api.settle_upload(second, done: false)
  checks.equal 'the current one does', 1, api.status.json['files'].size
  api.delete("/api/v1/files/#{file}")
  checks.equal 'a deleted file does not', '{"projects":[],"files":[]}', api.status.body
  deleted = api.create_project.json['id']
  api.delete("/api/v1/projects/#{deleted}")
  checks.equal 'nor a deleted project', '{"projects":[],"files":[]}', api.status.body

  tag = api.status['ETag']
  checks.equal 'who knows the document gets a 304', 304, api.status(fields: ["If-None-Match: #{tag}"]).status
  held, seconds = took { api.status(fields: ["If-None-Match: #{tag}", 'Prefer: wait=1']) }
  checks.that 'with `Prefer: wait` the request is held', held.status == 304 && seconds.between?(0.95, 5), "#{seconds} s\n#{held}"
  checks.equal 'and the answer says so', 'wait=1', held['Preference-Applied']
  checks.equal 'its connection is for the next one; any other answer ends it, for Puma would keep a thread on it',
               [nil, 'close'], [held, api.status(fields: ["If-None-Match: #{tag}"])].map { |answer| answer['Connection'] }
  fresh, seconds = took { api.status(fields: ['If-None-Match: W/"other"', 'Prefer: respond-async, wait=9']) }
  checks.that 'who knows another one is not made to wait', fresh.status == 200 && fresh['Preference-Applied'] == 'wait=9' && seconds < 5, fresh

  leaving = TCPSocket.new('127.0.0.1', api.port)
  leaving.write("GET /internal/consistency HTTP/1.1\r\nHost: a\r\nX-Sidecar-Secret: #{SECRET}\r\nIf-None-Match: #{tag}\r\nPrefer: wait=9\r\n\r\n")
  checks.eventually('one is held') { !api.status(fields: ["If-None-Match: #{tag}", 'Prefer: wait=1'])['Preference-Applied'] }
  leaving.close
  checks.eventually('who goes away makes room for the next', within: 5) { api.status(fields: ["If-None-Match: #{tag}", 'Prefer: wait=1'])['Preference-Applied'] }

  # Whoever comes first is held; who is not asks again.
  waiting = Thread.new do
    loop do
      answer, seconds = took { api.status(fields: ["If-None-Match: #{tag}", 'Prefer: wait=9']) }
      break [answer, seconds] if answer['Preference-Applied']
    end
  end
  checks.eventually('while one is held, a second is answered at once, and without `Preference-Applied`') do
    others = api.status(fields: ["If-None-Match: #{tag}", 'Prefer: wait=1'])
    others.status == 304 && others['Preference-Applied'].nil?
  end
  checks.that 'and the held one waits on', waiting.alive?
  changed = api.create_project.json['id']
  answer, seconds = waiting.value
  checks.that 'a change ends the wait (past the query cache)', answer.status == 200 && answer['ETag'] != tag && seconds < 8, "#{seconds} s\n#{answer}"
  checks.equal 'with the new document', [changed], answer.json['projects'].map { |entry| entry['id'] }
end

Stack.run(environment: { 'FORCE_SSL' => '1', 'READY_AFTER' => '0.3' }) do |stack|
  api = stack.backend
  plain = api.status
  checks.that 'where Rails forces TLS, a plain poll is sent to https', plain.status == 301 && plain['Location'].start_with?('https://'), plain
  tls = ['X-Forwarded-Proto: https']
  checks.equal 'unless it says X-Forwarded-Proto', 200, api.status(fields: tls).status
  keys = { agent_key: 'owner-agent', user_key: 'owner-key' }
  api.token = api.post('/api/v1/software_agents/api_token', json: keys, fields: tls).json['api_token']
  api.post('/api/v1/projects', json: { name: 'a', description: 'b' }, fields: tls)
  checks.equal 'behind a job queue a project is unready at first', 1, api.status(fields: tls).json['projects'].size
  checks.eventually('and becomes ready by itself') { api.status(fields: tls).json['projects'].empty? }
end

checks.finish
