# The status endpoint that deploy/ offers for the legacy API: what it says of projects and files, against the API's own
# answers, and what it costs to hold a request. On PostgreSQL the process beside the API has to say the very same.
# usage: status_endpoint_test.rb sqlite|postgresql [SIDECAR]
require_relative 'api'
require_relative 'postgres'
require 'io/wait'
require 'securerandom'

EMPTY = '{"projects":[],"files":[]}'.freeze

def took
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  [yield, Process.clock_gettime(Process::CLOCK_MONOTONIC) - start]
end

# What all status endpoints say: the API's own, and the process's if there is one.
class Sources
  def initialize(checks, api, process)
    @checks, @api, @process = checks, api, process
  end

  def answer
    @api.status.tap do |api|
      next unless @process
      process = @process.status
      @checks.equal '  and the process says the same, with the same ETag', [api.body, api['ETag']], [process.body, process['ETag']]
    end
  end

  def unready
    document = answer.json
    [document['projects'].map { |entry| entry.values_at('id', 'is_upload_ready', 'is_download_ready') }, document['files'].map { |entry| entry['id'] }]
  end
end

NOTHING = [[], []].freeze
UPLOADS_ONLY = ->(project) { [project, true, false] }
DOWNLOADS_ONLY = ->(project) { [project, false, true] }

def what_it_says(checks, api, say)
  empty = say.answer
  checks.equal 'with nothing in process the document is empty', EMPTY, empty.body
  checks.that 'it is JSON with a weak ETag', empty['Content-Type'] == 'application/json' && empty['ETag'].start_with?('W/"'), empty

  project = api.create_project.json['id']
  checks.equal 'a new project is neither hidden nor ready for uploads', [[DOWNLOADS_ONLY[project]], []], say.unready
  checks.equal 'and POST uploads agrees', 'resource_not_consistent', api.create_upload(project).code
  api.initialize_project(project, provider: 's3')
  checks.equal 'another storage provider than the default one does not count', [[DOWNLOADS_ONLY[project]], []], say.unready
  api.initialize_project(project)
  checks.equal 'initialised, it is listed no more', NOTHING, say.unready
  upload = api.create_upload(project)
  checks.equal 'and POST uploads agrees again', 201, upload.status
  checks.equal 'an upload that nobody has completed makes nothing unready', NOTHING, say.unready

  upload = upload.json['id']
  api.complete(upload)
  checks.equal 'nor does one that no file has', NOTHING, say.unready
  file = api.create_file(project, upload).json['id']
  checks.equal 'a file of an upload under check is not ready, nor is its project for downloads', [[UPLOADS_ONLY[project]], [file]], say.unready
  checks.equal 'and the url agrees', 'resource_not_consistent', api.get("/api/v1/files/#{file}/url").code
  checks.equal 'and the list of files', 'resource_not_consistent', api.get("/api/v1/projects/#{project}/files").code
  api.settle_upload(upload)
  checks.equal 'checked, it is ready', NOTHING, say.unready
  checks.equal 'and the url agrees again', 200, api.get("/api/v1/files/#{file}/url").status

  second = api.create_upload(project).json['id']
  api.complete(second)
  api.put("/api/v1/files/#{file}", json: { upload: { id: second } })
  checks.equal 'a new version makes the file unready again', [file], say.unready[1]
  api.settle_upload(second, error_message: 'reported hash value does not match size computed by StorageProvider')
  checks.equal 'an integrity error ends that: consistent, though not to be downloaded', NOTHING, say.unready
  checks.equal 'the url says 400, for good', 400, api.get("/api/v1/files/#{file}/url").status
  api.settle_upload(upload, done: false)
  checks.equal 'an older version does not count', NOTHING, say.unready
  api.settle_upload(second, done: false)
  checks.equal 'the current one does', [file], say.unready[1]
  [project, file]
end

def what_the_schema_allows(checks, api, say, project, file)
  version = SecureRandom.uuid
  now = "'2026-01-01 00:00:00'"
  api.sql("INSERT INTO file_versions (id, data_file_id, upload_id, version_number, created_at, updated_at) SELECT '#{version}', data_file_id, upload_id, " \
          "version_number, #{now}, #{now} FROM file_versions WHERE data_file_id = '#{file}' ORDER BY version_number DESC LIMIT 1")
  checks.equal 'two versions of the same number, as a race leaves them, list the file once', [file], say.unready[1]
  api.sql("INSERT INTO containers (id, type, name, project_id, is_deleted, created_at, updated_at) VALUES ('#{SecureRandom.uuid}', 'Folder', 'f', '#{project}', FALSE, #{now}, #{now})")
  checks.equal 'a folder, in the same table, is not a file', [file], say.unready[1]
  api.sql("UPDATE containers SET is_deleted = NULL WHERE id = '#{file}'")
  checks.equal 'neither deleted nor not: not deleted', [file], say.unready[1]
  api.sql("UPDATE containers SET project_id = NULL WHERE id = '#{file}'")
  checks.equal 'a file without a project is no entry without an id', [[], [file]], say.unready
  api.sql("UPDATE containers SET project_id = '#{project}' WHERE id = '#{file}'")
  api.delete("/api/v1/files/#{file}")
  checks.equal 'a deleted file does not count', NOTHING, say.unready
  deleted = api.create_project.json['id']
  api.delete("/api/v1/projects/#{deleted}")
  checks.equal 'nor a deleted project', NOTHING, say.unready
  api.sql("INSERT INTO project_storage_providers (id, storage_provider_id, is_initialized, created_at, updated_at) SELECT '#{SecureRandom.uuid}', id, TRUE, #{now}, #{now} FROM storage_providers WHERE is_default")
  fresh = api.create_project.json['id']
  checks.equal 'a pair without a project hides no other', [[DOWNLOADS_ONLY[fresh]], []], say.unready
  api.initialize_project(fresh)

  api.sql("UPDATE storage_providers SET is_default = NOT is_default")
  checks.equal 'with another default provider each project is as that one says', [[DOWNLOADS_ONLY[fresh]], []], say.unready
  checks.equal 'and POST uploads agrees', ['resource_not_consistent', nil], [fresh, project].map { |id| api.create_upload(id).code }
  api.sql("UPDATE storage_providers SET is_default = FALSE")
  checks.equal 'without any, none is ready', [fresh, project].sort, say.unready[0].map(&:first)
  checks.equal 'and POST uploads agrees once more', 'resource_not_consistent', api.create_upload(project).code
  api.sql("UPDATE storage_providers SET is_default = TRUE WHERE name = 'swift'")
  checks.equal 'and all is as before', NOTHING, say.unready
end

# A request whose answer is waited for elsewhere.
def ask_held(client, tag, wait = 30)
  TCPSocket.new('127.0.0.1', client.port).tap do |socket|
    socket.write("GET #{STATUS_PATH} HTTP/1.1\r\nHost: a\r\nX-Sidecar-Secret: #{SECRET}\r\nX-Forwarded-Proto: https\r\n" \
                 "If-None-Match: #{tag}\r\nPrefer: wait=#{wait}\r\n\r\n")
  end
end

# Its answer, of at most 20 s; an answer that was not held leaves its end to the client.
def receive(socket)
  raw = +''.b
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
  until (answer = Answer.new(raw)).whole?
    left = deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC)
    break unless left.positive? && socket.wait_readable(left)
    raw << socket.readpartial(65_536)
  end
  answer
rescue EOFError, SystemCallError
  answer
end

def unanswered(sockets) = sockets.reject { |socket| socket.wait_readable(0) }

# `client` is asked for the status; `api` makes it change; `other` is a request that has nothing to do with it.
def how_it_holds(checks, client, api, &other)
  tag = client.status['ETag']
  checks.equal 'without the secret it is a 403', [403, 403], ['guessed', ''].map { |secret| client.status(secret: secret).status }
  checks.equal 'other methods are a 405', 405, client.post(STATUS_PATH, body: '', token: nil, fields: ["X-Sidecar-Secret: #{SECRET}"]).status
  known = client.status(fields: ["If-None-Match: #{tag}"])
  checks.equal 'who knows the document gets a 304, at once', [304, tag, nil, ''], [known.status, known['ETag'], known['Preference-Applied'], known.raw_body]
  held, seconds = took { client.status(fields: ["If-None-Match: #{tag}", 'Prefer: wait=1']) }
  checks.that 'with `Prefer: wait` the request is held', held.status == 304 && held['ETag'] == tag && seconds.between?(0.95, 5), "#{seconds} s\n#{held}"
  checks.equal 'and the answer says so', 'wait=1', held['Preference-Applied']
  fresh, seconds = took { client.status(fields: ['If-None-Match: W/"other"', 'Prefer: respond-async, wait="9"']) }
  checks.that 'who knows another one is not made to wait', fresh.status == 200 && fresh['Preference-Applied'] == 'wait=9' && seconds < 5, fresh

  sockets = Array.new(20) { ask_held(client, tag) }
  answers = Array.new(50, &other)
  checks.that 'twenty held polls take none of five threads: fifty other requests are answered', answers.all?, answers.inspect
  checks.equal 'while all twenty are held', 20, unanswered(sockets).size
  sockets.pop(5).each(&:close)
  changed = api.create_project.json['id']
  answers = sockets.map { |socket| receive(socket) }
  checks.equal 'a change ends the wait of all that are still there', [200] * 15, answers.map(&:status)
  checks.equal 'with the new document', [[[changed], 'wait=30', 'close']], answers.map { |answer| [answer.json['projects'].map { |entry| entry['id'] }, answer['Preference-Applied'], answer['Connection']] }.uniq
  api.initialize_project(changed)
  checks.equal 'and what comes next is answered as ever', [200, EMPTY], client.status.then { |answer| [answer.status, answer.body] }
ensure
  sockets&.each(&:close)
end

def ports(sockets) = sockets.map { |socket| socket.local_address.ip_port }

# Of these connections those that the server has open, as Linux lists them: the bytes that it has not read of each.
def open_at(port, peers)
    File.readlines('/proc/net/tcp').drop(1).filter_map do |line|
    _, local, remote, state, queues = line.split
    queues[-8..].hex if local.end_with?(format(':%04X', port)) && peers.include?(remote[-4..].hex) && %w[01 08].include?(state)
  end
end

def who_goes_away(checks, client)
  tag = client.status['ETag']
  sockets = Array.new(8) { ask_held(client, tag) }
  peers = ports(sockets)
  checks.eventually('eight are taken') { open_at(client.port, peers) == [0] * 8 }
  sockets.each(&:close)
  checks.eventually('who goes away is not kept', within: 10) { open_at(client.port, peers).empty? }
end

def bounded(checks, client)
  tag = client.status['ETag']
  sockets = Array.new(210) { ask_held(client, tag) }
  refused = nil
  checks.eventually('no more than two hundred are held: the next is answered at once, and is not told that it was held') do
    refused = client.status(fields: ["If-None-Match: #{tag}", 'Prefer: wait=1'])
    refused['Preference-Applied'].nil?
  end
  checks.equal 'with what it asked for', 304, refused.status
ensure
  sockets&.each(&:close)
end

def when_it_ends(checks, client, program)
  tag = client.status['ETag']
  sockets = Array.new(3) { ask_held(client, tag) }
  checks.eventually('three are taken') { open_at(client.port, ports(sockets)) == [0] * 3 }
  program.stop
  checks.equal 'told to end, the process answers whom it holds', [[304, tag]] * 3, sockets.map { |socket| receive(socket).then { |answer| [answer.status, answer['ETag']] } }
end

def database_away(checks, postgres, client)
  held = ask_held(client, client.status['ETag'])
  postgres.halt
  answer = receive(held)
  checks.equal 'a database that goes away is a 503 to a held poll', [503, '503'], [answer.status, answer.json['error']]
  checks.equal 'and to any other', 503, client.status.status
  postgres.start
  checks.eventually('once it is back, all is well') { client.status.status == 200 }
end

if ARGV[0] == 'postgresql' && !Postgres.found?
  puts 'left out: there is no PostgreSQL'
  exit 77
end
# In the place of an endpoint within the API.
def a_sidecar_polls_it(checks, stack, process, api)
  # Polls that the process does not hold would be too far apart for what follows.
  stack.start_sidecar(ARGV.fetch(1), 'status' => { 'url' => "http://127.0.0.1:#{process.port}#{STATUS_PATH}", 'interval' => '10s' })
  client = stack.proxied
  client.token = api.token
  project = client.create_project.json['id']
  ready = -> { client.get("/api/v1/projects/#{project}?info").json.dig('info', 'resource_consistency', 'is_upload_ready') }
  checks.equal 'through a sidecar that polls the process, a new project takes no upload', [404, 404], [client.create_upload(project).status, client.create_upload(project).json['error']]
  checks.eventually('as the process says, too', within: 8) { ready.call == false }
  api.initialize_project(project)
  checks.eventually('and a held poll tells when it does', within: 8) { ready.call == true }
  checks.equal 'so it does', 201, client.create_upload(project).status
end

checks = Checks.new
postgres = (Postgres.new if ARGV[0] == 'postgresql')
at_exit { postgres&.stop }

Stack.run(database: postgres || :sqlite, workers: postgres ? 2 : 0, environment: { 'NEW_RELIC' => '1' }) do |stack|
  api = stack.backend
  api.log_in
  process = nil
  if postgres
    postgres.script("#{DEPLOY}/status_process/read_only_role.sql", password: "'secret'")
    process = stack.start_status_process(DATABASE_URL: postgres.url('sidecar_status'))
  end
  say = Sources.new(checks, api, process)
  project, file = what_it_says(checks, api, say)
  what_the_schema_allows(checks, api, say, project, file)
  how_it_holds(checks, api, api) { api.get('/api/v1/projects').status == 200 }
  checks.that 'New Relic is told that polls are not the API\'s', File.read(stack.puma.log).include?('new relic: ignored')
  if postgres
    puts 'the process beside the API'
    how_it_holds(checks, process, api) { process.get('/livez').status == 200 }
    who_goes_away(checks, process)
    checks.equal 'other paths are a 404', 404, process.get('/').status
    denied = ['SELECT service_pass FROM storage_providers', 'UPDATE uploads SET is_consistent = true', 'SELECT name FROM projects']
    checks.equal 'its role reads what it must, and no more', [false] * 3, denied.map { |statement| postgres.allows?('sidecar_status', statement) }
    a_sidecar_polls_it(checks, stack, process, api) if ARGV[1]
    [api, process].each { |client| database_away(checks, postgres, client) }
    when_it_ends(checks, process, stack.status)
  else
    who_goes_away(checks, api)
    bounded(checks, api)
  end
  when_it_ends(checks, api, stack.puma)
end

unless postgres
  Stack.run(environment: { 'SIDECAR_SECRET' => nil, 'READY_AFTER' => '0.3' }) do |stack|
    api = stack.backend
    api.log_in
    checks.equal 'without a secret the API runs as ever', 202, api.create_project.status
    checks.equal 'and the endpoint says what it lacks', [503, 'there is no secret'], api.status.then { |answer| [answer.status, answer.json['reason']] }
  end

  Dir.mktmpdir do |directory|
    File.write(secret = "#{directory}/secret", "one\n")
    Stack.run(environment: { 'SIDECAR_SECRET' => nil, 'SIDECAR_SECRET_FILE' => secret, 'READY_AFTER' => '0.3' }) do |stack|
      api = stack.backend
      plain = api.status(forwarded: false)
      checks.that 'Rails sends a plain poll to https', plain.status == 301 && plain['Location'].start_with?('https://'), plain
      checks.equal 'a secret may come from a file', [200, 403], %w[one two].map { |secret| api.status(secret: secret).status }
      File.write(secret, "two\n")
      checks.equal 'and be another one from now on', [403, 200], %w[one two].map { |secret| api.status(secret: secret).status }
      api.log_in
      api.create_project
      checks.equal 'behind a job queue a project is unready at first', 1, api.status(secret: 'two').json['projects'].size
      checks.eventually('and becomes ready by itself') { api.status(secret: 'two').json['projects'].empty? }
      File.delete(secret)
      checks.equal 'or none: then nobody is answered', [503, 'there is no secret'], api.status(secret: '').then { |answer| [answer.status, answer.json['reason']] }
    end
  end
end

checks.finish
