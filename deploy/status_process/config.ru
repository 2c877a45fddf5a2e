# The sidecar's status endpoint as a process beside the DDS API. Environment: DATABASE_URL (or PGHOST, PGUSER and so on),
# SIDECAR_SECRET or SIDECAR_SECRET_FILE; SIDECAR_LOOK_EVERY (0.5 s); puma.rb here has BIND.
require_relative '../status_endpoint/held_polls'
require_relative 'snapshot'

snapshot = Snapshot.new(ENV['DATABASE_URL'])
polls = DDS::HeldPolls.new { snapshot.document }

map('/internal/consistency') { run polls }
# For a probe: the process is alive. What it knows of the database is the poll's affair.
map('/livez') { run ->(_env) { [200, { 'Content-Type' => 'text/plain' }, ["ok\n"]] } }
run ->(_env) { [404, { 'Content-Type' => 'text/plain' }, ["not found\n"]] }
