# A PostgreSQL server for the time of a test: a cluster of its own in a directory of its own, on a Unix socket alone,
# which forgets everything. PostgreSQL refuses to run as root, so there it runs as Debian's `postgres`.
require 'etc'
require 'fileutils'
require 'tmpdir'

class Postgres
  SETTINGS = { listen_addresses: "''", fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', wal_level: 'minimal',
               max_wal_senders: 0, max_wal_size: '4GB', autovacuum: 'off', shared_buffers: '256MB', maintenance_work_mem: '256MB',
               max_connections: 60 }.freeze

  def self.found? = !programs.nil?
  def self.programs = Dir['/usr/lib/postgresql/*/bin/initdb'].max_by { |path| path[/\d+/].to_i }&.then { |path| File.dirname(path) }

  attr_reader :directory

  def initialize
    @directory = Dir.mktmpdir('sidecar-pg')
    @log = File.join(@directory, 'log')
    File.write(@log, '')
    FileUtils.chown_R(owner, nil, @directory) if owner
    run('initdb', '-D', data, '-U', 'dds', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync') || give_up
    File.open("#{data}/postgresql.conf", 'a') { |file| SETTINGS.each { |name, value| file.puts "#{name} = #{value}" } }
    start
    run('createdb', '-h', @directory, '-U', 'dds', 'dds') || give_up
  end

  def url(user = 'dds') = "postgresql://#{user}@#{@directory.gsub('/', '%2F')}/dds"

  # `psql` with a script, as the owner of the tables.
  def script(file, **variables)
    variables = variables.flat_map { |name, value| ['-v', "#{name}=#{value}"] }
    run('psql', '-q', '-v', 'ON_ERROR_STOP=1', *variables, url, in: file) || abort("#{file}:\n#{File.read(@log)}")
  end

  def allows?(user, statement) = run('psql', '-q', '-v', 'ON_ERROR_STOP=1', '-c', statement, url(user))

  def start
    @pid = spawn_as_owner('postgres', '-D', data, '-k', @directory)
    deadline = Time.now + 120
    until run('pg_isready', '-q', '-h', @directory, '-U', 'dds')
      give_up if Time.now > deadline || Process.wait(@pid, Process::WNOHANG)
      sleep 0.02
    end
  end

  # Fast shutdown: it ends its clients' connections.
  def halt
    return unless @pid
    Process.kill('INT', @pid)
    Process.wait(@pid)
    @pid = nil
  end

  def stop
    halt
  ensure
    FileUtils.rm_rf(@directory)
  end

  private

  def data = File.join(@directory, 'data')
  def owner = ('postgres' if Process.uid.zero?)
  def run(*command, **options) = Process.wait2(spawn_as_owner(*command, **options))[1].success?

  # It ends with the test, however that ends.
  def spawn_as_owner(program, *arguments, **options)
    as_owner = owner ? ["--reuid=#{owner}", "--regid=#{Etc.getpwnam(owner).gid}", '--clear-groups'] : []
    Process.spawn('setpriv', '--pdeathsig=INT', *as_owner, File.join(Postgres.programs, program), *arguments,
                  { chdir: '/', in: '/dev/null', %i[out err] => [@log, 'a'] }.merge(options))
  end

  def give_up = abort("PostgreSQL did not start:\n#{File.read(@log)}")
end
