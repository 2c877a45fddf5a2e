# The API's process is killed in the middle of an upload and is back after some seconds: what DukeDSClient makes of that
# (deploy/tests/dds_client.py plays it), through the sidecar.
# usage: outage_test.rb SIDECAR [SECONDS]
require_relative 'api'

CLIENT = "#{DEPLOY}/tests/dds_client.py".freeze

# Takes the bytes of files, as the object store would, and tells how often.
class Store
  attr_reader :port

  def initialize
    @server = TCPServer.new('127.0.0.1', 0)
    @port = @server.addr[1]
    @taken = Queue.new
    Thread.new { loop { Thread.new(@server.accept) { |client| serve(client) } } }
  end

  def wait_for(count) = count.times { @taken.pop }

  private

  def serve(client)
    while (head = client.gets("\r\n\r\n"))
      client.read(head[/^content-length: (\d+)/i, 1].to_i)
      client.write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
      @taken << true
    end
  rescue SystemCallError, IOError
    nil
  end
end

# What the client reports, after the API has been killed once the store took `after` pieces.
def upload(stack, port, options, after:, away:)
  store = Store.new
  out, writer = IO.pipe
  pid = Process.spawn('python3', '-B', CLIENT, "http://127.0.0.1:#{port}/api/v1", '--store', "http://127.0.0.1:#{store.port}",
                      '--header', Client::FORWARDED, *options, out: writer)
  writer.close
  store.wait_for(after)
  stack.kill_puma
  sleep away # the outage itself
  stack.start_puma
  report = JSON.parse(out.read)
  Process.wait(pid)
  report
end

SMALL = ['--files', '20', '--workers', '4'].freeze
LARGE = ['--files', '0', '--large', '1', '--large-size', '2000000', '--chunk', '50000', '--workers', '4'].freeze
# Rails boots slowly on a machine that is busy with tests: else the client would sleep for a minute after a 503.
PATIENT = { 'upstream' => { 'connect_retry' => '60s' } }.freeze
SLOW = { 'READY_AFTER' => '0.5', 'LATENCY' => '0.1' }.freeze # at any time some requests are under way
checks = Checks.new
away = (ARGV[1] || 4).to_f

{ 'twenty small files' => [SMALL, 20, 6], 'a large file in forty chunks' => [LARGE, 1, 10] }.each do |what, (options, files, after)|
  # A completion that was done, and killed before its answer, is refused the second time: no proxy can mend that.
  report = listed = nil
  3.times do
    Stack.run(sidecar: ARGV.fetch(0), environment: SLOW, relay: false, configuration: PATIENT) do |stack|
      report = upload(stack, stack.proxied.port, options, after: after, away: away)
      listed = stack.backend.tap(&:log_in).get("/api/v1/projects/#{report['project']}/files").json['results']&.size
    end
    break unless report['ended_by'].to_s.include?('400 on PUT')
  end
  checks.that "#{what}: the API is killed for #{away} s, and the upload goes on", report['exit'].zero?, report
  checks.that '  though requests broke off', report['broken'].positive?, report
  # A 503 does not, if the API takes longer than upstream.connect_retry to come back: the client sleeps for a minute then.
  checks.equal '  and none was answered with what would end it', [], report['statuses'].keys & %w[500 502 504]
  # A file whose answer was lost is made once more: by the client, which knows no better.
  checks.that '  and all files are there', report['files'] == files && listed.to_i >= files, "#{listed} of #{files}\n#{report}"
  puts "  #{report}"
end

Stack.run(sidecar: ARGV.fetch(0), environment: SLOW, relay: false, configuration: { 'upstream' => { 'no_answer' => 'answer' } }) do |stack|
  report = upload(stack, stack.proxied.port, LARGE, after: 10, away: 1)
  checks.equal 'with `no_answer: answer` the same ends the upload, by a 502', [2, true], [report['exit'], report['ended_by'].start_with?('502 on')]
end

checks.finish
