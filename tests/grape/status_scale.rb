# The status endpoint on a large database.
#   status_scale.rb            both looks use both indexes of the shipped migration (EXPLAIN), and say the same
#   status_scale.rb --measure  the same with 300 000 files and 50 000 uploads that nobody completed, as DDS has them: what a
#                              look costs, with the indexes and without, and what others notice of held polls
require_relative 'stack'
require_relative 'postgres'
require_relative "#{DEPLOY}/status_process/snapshot"
require 'active_record'
require 'net/http'

unless Postgres.found?
  puts 'left out: there is no PostgreSQL'
  exit 77
end

MEASURING = ARGV.include?('--measure')
FILES, ABANDONED, PROJECTS = MEASURING ? [300_000, 50_000, 3_000] : [60_000, 10_000, 600]
IN_PROCESS = 50
INDEXES = %w[index_uploads_in_process index_file_versions_on_upload_id].freeze

# Every file has a version, each tenth a second one; what is in process are some of the newest.
SEED = <<~SQL.freeze
  INSERT INTO projects (name, description, created_at, updated_at)
    SELECT 'p' || i, 'd', now(), now() FROM generate_series(1, #{PROJECTS}) i;
  INSERT INTO project_storage_providers (project_id, storage_provider_id, is_initialized, created_at, updated_at)
    SELECT p.id, s.id, true, now(), now() FROM projects p CROSS JOIN storage_providers s;
  CREATE TEMPORARY TABLE seed AS
    SELECT i, gen_random_uuid() AS file, gen_random_uuid() AS upload, gen_random_uuid() AS newer, p.id AS project
      FROM generate_series(1, #{FILES}) i
      JOIN (SELECT id, row_number() OVER () AS n FROM projects) p ON p.n = 1 + i % #{PROJECTS};
  INSERT INTO uploads (id, type, project_id, size, is_consistent, completed_at, created_at, updated_at)
    SELECT upload, 'ChunkedUpload', project, i, i > #{IN_PROCESS}, now(), now(), now() FROM seed
    UNION ALL SELECT newer, 'NonChunkedUpload', project, i, true, now(), now(), now() FROM seed WHERE i % 10 = 0
    UNION ALL SELECT gen_random_uuid(), 'ChunkedUpload', project, i, NULL, NULL, now(), now() FROM seed WHERE i <= #{ABANDONED};
  INSERT INTO containers (id, type, name, project_id, is_deleted, created_at, updated_at)
    SELECT file, 'DataFile', 'f', project, i % 100 = 99, now(), now() FROM seed
    UNION ALL SELECT gen_random_uuid(), 'Folder', 'f', project, false, now(), now() FROM seed WHERE i % 10 = 0;
  INSERT INTO file_versions (data_file_id, upload_id, version_number, created_at, updated_at)
    SELECT file, upload, 1, now(), now() FROM seed
    UNION ALL SELECT file, newer, 2, now(), now() FROM seed WHERE i % 10 = 0;
SQL

def milliseconds
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  yield
  (Process.clock_gettime(Process::CLOCK_MONOTONIC) - start) * 1000
end

def statements
  seen = []
  subscriber = ActiveSupport::Notifications.subscribe('sql.active_record') do |*, payload|
    binds = payload[:type_casted_binds].then { |given| given.respond_to?(:call) ? given.call : given }.to_a
    seen << [payload[:sql], binds] unless %w[SCHEMA TRANSACTION].include?(payload[:name])
  end
  yield
  seen
ensure
  ActiveSupport::Notifications.unsubscribe(subscriber)
end

def plan(sql, binds = [])
  connection = ActiveRecord::Base.connection
  sql = sql.gsub(/\$(\d+)/) { connection.quote(binds[Regexp.last_match(1).to_i - 1]) }
  connection.select_values("EXPLAIN #{sql}").join("\n")
end

def measure(what, looks, limit: nil)
  ActiveRecord::Base.connection.execute("SET statement_timeout = '#{limit}s'") if limit
  taken = Array.new(looks) { milliseconds { yield } }.sort
  puts format('%-52s %8.1f ms at best, %8.1f in the middle, %8.1f at worst', what, taken.first, taken[taken.size / 2], taken.last)
rescue ActiveRecord::QueryCanceled, PG::QueryCanceled
  puts format('%-52s more than %d s', what, limit || 10)
end

# What other requests notice of held polls, on a process of five threads.
def measure_held(postgres)
  Stack.run(database: postgres, environment: { 'SIDECAR_LOOK_EVERY' => '0.5' }) do |stack|
    tag = stack.backend.get(STATUS_PATH, fields: ["X-Sidecar-Secret: #{SECRET}"])['ETag']
    Net::HTTP.start('127.0.0.1', stack.puma_port) do |http|
      [0, 20, 200].each do |held|
        sockets = Array.new(held) do
          TCPSocket.new('127.0.0.1', stack.puma_port).tap do |socket|
            socket.write("GET #{STATUS_PATH} HTTP/1.1\r\nHost: a\r\nX-Sidecar-Secret: #{SECRET}\r\nX-Forwarded-Proto: https\r\nIf-None-Match: #{tag}\r\nPrefer: wait=30\r\n\r\n")
          end
        end
        sleep 1 # so that what is measured is the holding
        measure("a request of the API's, while #{held} polls are held", 500) { http.get('/api/v1/app/status', 'X-Forwarded-Proto' => 'https') }
        sockets.each(&:close)
      end
    end
    stack.start_status_process(DATABASE_URL: postgres.url)
    puts format('resident memory of the process beside the API: %.0f MB', File.read("/proc/#{stack.status.pid}/status")[/VmRSS:\s+(\d+)/, 1].to_i / 1024.0)
  end
end

checks = Checks.new
postgres = Postgres.new
at_exit { postgres.stop }
ActiveRecord::Base.establish_connection(postgres.url)
require_relative 'dds_models'
require_relative "#{DEPLOY}/status_endpoint/held_polls"
require_relative "#{DEPLOY}/status_endpoint/consistency"
require_relative Dir["#{DEPLOY}/status_endpoint/migration/*.rb"].first.delete_suffix('.rb')

seeding = milliseconds do
  ActiveRecord::Base.connection.execute(SEED)
  ActiveRecord::Base.connection.execute('ANALYZE')
end
puts format('%<files>d files, %<abandoned>d uploads never completed, %<projects>d projects; made in %<seconds>.1f s',
            files: FILES, abandoned: ABANDONED, projects: PROJECTS, seconds: seeding / 1000)
beside = Snapshot.new(postgres.url)
api = -> { DDS::Consistency.document }
process = -> { beside.document }

if MEASURING
  measure('no index: the endpoint in the API', 1, limit: 120) { api.call }
  ActiveRecord::Base.connection.add_index(:uploads, :id, name: 'index_uploads_in_process', where: 'completed_at IS NOT NULL AND is_consistent IS NOT TRUE')
  measure('the index on uploads alone: the endpoint in the API', 1, limit: 120) { api.call }
  ActiveRecord::Base.connection.remove_index(:uploads, name: 'index_uploads_in_process')
end

ActiveRecord::Migration.verbose = false
IndexWhatIsInProcess.new.migrate(:up)
ActiveRecord::Base.connection.execute('ANALYZE')

asked = statements { api.call }
plans = asked.map { |sql, binds| plan(sql, binds) }
INDEXES.each do |index|
  checks.that "the endpoint in the API uses #{index}", plans.any? { |text| text.include?(index) }, plans.join("\n\n")
  checks.that "the process beside it uses #{index}", plan(Snapshot::SQL).include?(index), plan(Snapshot::SQL)
end
checks.equal 'both say the same', true, api.call == process.call
checks.equal 'of as many files as are in process, those with a newer version aside', IN_PROCESS - IN_PROCESS / 10, JSON.parse(process.call)['files'].size

if MEASURING
  measure_held(postgres)
  measure('both indexes: the endpoint in the API', 200) { api.call }
  measure('both indexes: the process beside it', 200) { process.call }
  ActiveRecord::Base.connection.execute('UPDATE uploads SET is_consistent = false WHERE id IN (SELECT upload FROM seed WHERE i <= 5000)')
  measure('5000 files in process: the endpoint in the API', 20) { api.call }
  measure('5000 files in process: the process beside it', 20) { process.call }
end

IndexWhatIsInProcess.new.migrate(:down)
checks.equal 'the migration can be taken back', [], ActiveRecord::Base.connection.tables.flat_map { |table| ActiveRecord::Base.connection.indexes(table) }.map(&:name) & INDEXES
checks.finish
