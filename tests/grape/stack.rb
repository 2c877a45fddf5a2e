# What the tests in front of Grape on Puma share: the legacy API (Puma on a port of its own choice), a relay before it
# that records every byte, the sidecar before that, curl as the client, and the counting of checks.
require 'fileutils'
require 'json'
require 'open3'
require 'socket'
require 'tmpdir'
require 'zlib'
require 'stringio'

SECRET = 'status-secret'.freeze
PACKAGES = 'ruby-railties ruby-activerecord ruby-sqlite3 ruby-pg ruby-grape ruby-rack-cors ruby-rack-timeout puma curl postgresql'.freeze # Debian's names
DEPLOY = File.expand_path('../../deploy', __dir__)
STATUS_PATH = '/internal/consistency'.freeze
CURL = %w[curl -sS -i --raw --path-as-is --max-time 30].freeze

# A sentence for each check; the count and the exit code at the end.
class Checks
  def initialize
    @passed = @failed = 0
    $stdout.sync = true
  end

  def that(sentence, holds, detail = nil)
    holds ? @passed += 1 : @failed += 1
    puts "#{holds ? 'ok' : 'not ok'} - #{sentence}"
    puts detail.to_s.gsub(/^/, '    ') if !holds && detail
    holds
  end

  def equal(sentence, expected, got)
    that(sentence, expected == got, "expected: #{expected.inspect[0, 2000]}\ngot:      #{got.inspect[0, 2000]}")
  end

  # Waits for what must come to pass, asking again and again; a test that sleeps is either slow or wrong.
  def eventually(sentence, within: 20)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + within
    until (holds = yield)
      break if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      sleep 0.02
    end
    that(sentence, holds, "not within #{within} s")
  end

  def finish
    puts "#{@passed} passed, #{@failed} failed"
    exit(@failed.zero? && @passed.positive? ? 0 : 1)
  end
end

# An answer as curl received it, not a byte changed.
class Answer
  attr_reader :raw, :head, :raw_body, :interim

  def initialize(raw)
    @raw = raw
    @interim = []
    rest = raw
    loop do
      @head, rest = rest.split("\r\n\r\n", 2)
      break unless rest && head.match?(%r{\AHTTP/1\.1 1\d\d})
      @interim << head
    end
    @raw_body = rest.to_s
  end

  def status = head.to_s[%r{\AHTTP/\d\.\d (\d+)}, 1].to_i
  def fields = head.to_s.split("\r\n").drop(1)
  def [](name) = fields.filter_map { |line| line.split(':', 2)[1].strip if line.split(':', 2)[0].casecmp?(name) }.first

  def body
    text = self['Transfer-Encoding']&.casecmp?('chunked') ? dechunk(raw_body) : raw_body
    self['Content-Encoding'] == 'gzip' && !text.empty? ? Zlib::GzipReader.new(StringIO.new(text)).read : text
  end

  def whole?
    return false unless raw.include?("\r\n\r\n")
    return raw_body.end_with?("0\r\n\r\n") if self['Transfer-Encoding']
    status == 304 || raw_body.bytesize >= self['Content-Length'].to_i
  end

  def json = JSON.parse(body)
  def code = (json['code'] if body.start_with?('{'))
  def to_s = raw[0, 1500]

  private

  def dechunk(text)
    out = +''.b
    io = StringIO.new(text.b)
    while (line = io.gets("\r\n")) && (size = line.to_i(16)).positive?
      out << io.read(size)
      io.read(2)
    end
    out
  end
end

# One origin, asked by curl, as the platform's router asks that ends TLS.
class Client
  attr_accessor :token
  attr_reader :port

  def initialize(port)
    @port = port
  end

  # Rails sends a plain request to https.
  FORWARDED = 'X-Forwarded-Proto: https'.freeze

  # `fields`: as lines. `json`: a body. Without a token, no Authorization.
  def ask(method, target, fields: [], json: nil, body: nil, token: @token, options: [], forwarded: true)
    fields = [FORWARDED, *fields] if forwarded
    fields = ["Authorization: #{token}", *fields] if token
    fields = ['Content-Type: application/json', *fields] if json
    body = json.to_json if json
    arguments = method == 'HEAD' ? ['-I'] : ['-X', method]
    fields.each { |line| arguments += ['-H', line] }
    arguments += ['--data-binary', '@-'] if body
    out, err, = Open3.capture3(*CURL, *arguments, *options, "http://127.0.0.1:#{port}#{target}", stdin_data: body.to_s, binmode: true)
    Answer.new(out).tap { |answer| warn "curl: #{err}" if answer.status.zero? && !err.empty? }
  end

  %w[GET POST PUT DELETE HEAD OPTIONS].each do |method|
    define_method(method.downcase) { |target, **options| ask(method, target, **options) }
  end
end

# A program under test: its output goes to a file, which is shown if it does not start.
class Program
  attr_reader :pid, :log

  def initialize(name, environment, *command, directory:)
    @name = name
    @log = File.join(directory, "#{name}.log")
    @pid = Process.spawn(environment, *command, %i[out err] => @log, in: '/dev/null')
  rescue Errno::ENOENT => e
    abort "#{e.message}; needed: #{PACKAGES}"
  end

  # The first group of the pattern, once the output has it.
  def says(pattern, within: 120)
    deadline = Time.now + within
    until (found = File.read(log)[pattern, 1])
      abort_with_log if Time.now > deadline || Process.wait(pid, Process::WNOHANG)
      sleep 0.02
    end
    found
  end

  def abort_with_log = abort("#{@name} did not start:\n#{File.read(log)}\nneeded: #{PACKAGES}")

  def stop(signal = 'TERM')
    return unless @pid
    Process.kill(signal, @pid)
    limit = Time.now + 20
    sleep 0.02 until (ended = Process.wait2(@pid, Process::WNOHANG)) || Time.now > limit
    Process.kill('KILL', @pid) && Process.wait(@pid) unless ended
    @pid = nil
    ended && ended[1]
  rescue Errno::ESRCH, Errno::ECHILD # it has ended, and somebody has seen it
    @pid = nil
  end
end

# Between sidecar and Puma: passes on what comes and keeps a copy of both directions, status polls apart.
class Relay
  Connection = Struct.new(:requests, :answers, :poll)
  attr_reader :port

  def initialize(to)
    @to = to
    @mutex = Mutex.new
    @connections = []
    @polls = 0
    @server = TCPServer.new('127.0.0.1', 0)
    @port = @server.addr[1]
    Thread.new { loop { Thread.new(@server.accept) { |client| relay(client) } } }
  end

  # What has passed since the last call, of what was no poll: [bytes to the backend, bytes from it].
  def take
    @mutex.synchronize do
      all = @connections.reject(&:poll)
      taken = [all.map(&:requests).join, all.map(&:answers).join]
      all.each { |connection| connection.requests, connection.answers = +''.b, +''.b }
      taken
    end
  end

  def polls = @mutex.synchronize { @polls }
  def connections = @mutex.synchronize { @connections.count { |connection| connection.poll == false } }

  private

  def relay(client)
    server = TCPSocket.new('127.0.0.1', @to)
    [client, server].each { |socket| socket.setsockopt(:TCP, :NODELAY, 1) }
    connection = Connection.new(+''.b, +''.b, nil)
    @mutex.synchronize { @connections << connection }
    up = Thread.new { copy(client, server) { |bytes| note_request(connection, bytes) } }
    copy(server, client) { |bytes| connection.answers << bytes }
    up.join
  rescue SystemCallError, IOError
    nil
  ensure
    [client, server].each { |socket| socket&.close }
  end

  def note_request(connection, bytes)
    connection.poll = bytes.start_with?("GET #{STATUS_PATH}") if connection.poll.nil?
    @polls += 1 if connection.poll
    connection.requests << bytes
  end

  def copy(from, to)
    loop do
      bytes = from.readpartial(65_536)
      @mutex.synchronize { yield bytes }
      to.write(bytes)
    end
  rescue EOFError, SystemCallError, IOError
    begin
      to.close_write
    rescue SystemCallError, IOError
      nil
    end
  end
end

# All of it together, for the time of a block. `database`: :sqlite, or a Postgres (postgres.rb).
class Stack
  attr_reader :directory, :puma_port, :puma, :relay, :sidecar, :status

  def self.run(**options)
    stack = new(**options)
    yield stack
  ensure
    stack&.stop
  end

  # `relay: false`: nothing is between sidecar and Puma, so that who connects to a Puma that is gone is told so.
  def initialize(sidecar: nil, environment: {}, configuration: {}, database: :sqlite, workers: 0, relay: true)
    @directory = Dir.mktmpdir('sidecar-grape')
    @programs = []
    @database, @environment, @workers = database, environment, workers
    start_puma
    @relay = Relay.new(puma_port) if relay
    start_sidecar(sidecar, configuration) if sidecar
  rescue Exception # also an abort: what has been started is ended
    stop
    raise
  end

  def backend = Client.new(puma_port) # past relay and sidecar
  def direct = Client.new(relay.port) # past the sidecar
  def proxied = Client.new(@sidecar_port)

  # As if the node had lost it.
  def kill_puma
    @programs.delete(@puma)
    @puma.stop('KILL')
  end

  # On the port that it has, once it has one; as DDS runs it: with as many workers and threads.
  def start_puma
    options = ['-b', "tcp://127.0.0.1:#{puma_port || 0}", '-t', '5:5']
    options += ['-w', @workers.to_s, '--preload'] if @workers.positive?
    environment = { 'DATABASE_URL' => database_url, 'SIDECAR_SECRET' => SECRET, 'SIDECAR_LOOK_EVERY' => '0.05',
                    'RACK_ENV' => 'production', 'RAILS_ENV' => 'production' }.merge(@environment)
    @puma = start('puma', environment, 'puma', *options, File.join(__dir__, 'config.ru'))
    @puma_port = @puma.says(%r{Listening on http://127\.0\.0\.1:(\d+)}).to_i
    @workers.times { |index| @puma.says(/(Worker #{index}) .*booted/) }
  end

  # The other status endpoint: the process beside the API, as deploy/ runs it.
  def start_status_process(**environment)
    environment = { 'SIDECAR_SECRET' => SECRET, 'SIDECAR_LOOK_EVERY' => '0.05', 'BIND' => 'tcp://127.0.0.1:0' }.merge(environment.transform_keys(&:to_s))
    @status = start('status', environment, 'puma', '-C', "#{DEPLOY}/status_process/puma.rb", "#{DEPLOY}/status_process/config.ru")
    Client.new(@status.says(%r{Listening on http://127\.0\.0\.1:(\d+)}).to_i)
  end

  # JSON is YAML. Everything but addresses and the secret is as shipped, unless a test says otherwise.
  def start_sidecar(binary, configuration)
    File.write(secret = File.join(directory, 'secret'), "#{SECRET}\n")
    upstream = "127.0.0.1:#{relay ? relay.port : puma_port}"
    settings = { 'listen' => { 'address' => '127.0.0.1:0' }, 'admin' => { 'address' => 'off' }, 'drain' => { 'accept_for' => '0s' },
                 'upstream' => { 'address' => upstream },
                 'status' => { 'url' => "http://#{upstream}#{STATUS_PATH}",
                               'headers' => [{ 'name' => 'X-Sidecar-Secret', 'file' => secret },
                                             { 'name' => 'X-Forwarded-Proto', 'value' => 'https' }] } }
    settings.merge!(configuration) { |_, ours, theirs| ours.merge(theirs) }
    File.write(file = File.join(directory, 'sidecar.yaml'), settings.to_json)
    @sidecar = start('sidecar', {}, binary, '--config', file)
    @sidecar_port = @sidecar.says(/"msg":"serving".*"port":(\d+)/).to_i
  end

  def stop
    @programs.reverse_each(&:stop)
    FileUtils.rm_rf(directory)
  end

  private

  def database_url = @database == :sqlite ? "sqlite3:#{directory}/dds.sqlite?pool=1&checkout_timeout=30" : @database.url

  def start(name, environment, *command)
    Program.new(name, environment, *command, directory: directory).tap { |program| @programs << program }
  end
end
