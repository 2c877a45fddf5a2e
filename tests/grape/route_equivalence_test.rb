# Property: what the legacy API's router (Rails, Grape, behind Puma) takes for one of the routes that rules stand for, the
# sidecar takes for it too, with the same id and the same idea of `?info`; and nothing else.
# usage: route_equivalence_test.rb DECIDE_CLI [COUNT] [SEED]
require_relative 'stack'
require 'io/wait'
require 'open3'

RULES = {
  'GET /api/:version/projects/:id' => 'project_info', 'GET /api/:version/files/:id/url' => 'file_url_info',
  'POST /api/:version/projects/:project_id/uploads' => 'upload_gate', 'POST /api/:version/projects' => 'new_project',
  'POST /api/:version/files' => 'new_file', 'PUT /api/:version/files/:id' => 'new_file_version', 'GET /consistency' => 'status_path'
}.freeze
UUID = /\A\h{8}-\h{4}-\h{4}-\h{4}-\h{12}\z/

# Puma, asked on a new connection each time: on a kept one it leaves a request that it can't read without an answer.
class Router
  def initialize(port)
    @port = port
  end

  # The headers of the answer; nil if Puma refuses the request. Without a token no route answers 404: who gets one was
  # not taken (Grape finds the route of an encoded `v1`, and then no such version).
  def ask(method, target)
    socket = TCPSocket.new('127.0.0.1', @port)
    socket.write("#{method} #{target} HTTP/1.1\r\nHost: dds.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    raise "#{method} #{target}: no answer" unless socket.wait_readable(10)
    status, *lines = socket.read.split("\r\n\r\n", 2)[0].split("\r\n")
    return if lines.empty?
    fields = lines.to_h { |line| line.split(': ', 2).then { |name, value| [name.downcase, value.to_s] } }
    status.start_with?('HTTP/1.1 404') ? fields.except('x-route') : fields
  ensure
    socket&.close
  end
end

# Targets near the routes: a base, and up to three changes to it.
class Generator
  IDS = ['ca29f7df-33ca-46dd-a015-92c46fdb6fd1', 'CA29F7DF-33CA-46DD-A015-92C46FDB6FD1', 'ca29f7df-33ca-46dd-a015-92c46fdb6fd1',
         'ca29f7df33ca46dda01592c46fdb6fd1', '{ca29f7df-33ca-46dd-a015-92c46fdb6fd1}', '1', ':id', 'a.b', 'uploads', '%20', '..'].freeze
  ROUTES = [%w[GET projects/ID], %w[GET files/ID/url], %w[POST projects/ID/uploads], %w[POST projects], %w[POST files],
            %w[PUT files/ID], %w[GET projects], %w[GET projects/ID/files], %w[GET uploads/ID], %w[PUT uploads/ID/complete],
            %w[HEAD projects/ID], %w[HEAD files/ID/url], %w[DELETE projects/ID], %w[PATCH projects/ID/uploads],
            %w[GET projects/ID/uploads], %w[POST projects/ID], %w[PUT projects/ID/uploads], %w[GET files/ID]].freeze
  INSERTS = %w[/ // . .. ./ ../ ; ;x ;x=1 .json .JSON .foo .a.b %2ejson %2E %2F %2f %5C %00 %20 %zz % %C3%A9 %FF ~ ! $ ' ( ) * + , = : @ & _ -
               | [ ] { } ^ ` " < > \\ %25 %2523 %3F %3B a Z 0].freeze
  QUERIES = %w[info info= info=1 %69nfo i%6Efo infos inf INFO a=1&info a;info info;a a=info &&info info&info +info info+ %20info
               info%3D1 a%26info info%00 =info a==&info= %zz=1&info info=%zz %C3%A9&info %FF=1&info ?info a?info #info].freeze

  def initialize(seed)
    @random = Random.new(seed)
  end

  def path
    method, route = pick(ROUTES)
    path = "/api/v1/#{route.sub('ID', @random.rand < 0.7 ? IDS[0] : pick(IDS))}"
    pick([0, 1, 1, 1, 2, 2, 3]).times { path = changed(path) }
    [method, path]
  end

  def status_path
    path = '/internal/consistency'.dup
    pick([0, 1, 1, 1, 2, 2, 3]).times { path = changed(path) }
    [pick(%w[GET HEAD POST]), path]
  end

  def query = Array.new(1 + @random.rand(2)) { pick(QUERIES) }.join(pick(['&', ';', '']))

  private

  def pick(list) = list[@random.rand(list.size)]

  def changed(path)
    case @random.rand(7)
    when 0 then encoded(path)
    when 1 then path + pick(INSERTS)
    when 2 then inserted(path, at_slash(path), pick(INSERTS))
    when 3 then inserted(path, at_slash(path) + 1, pick(INSERTS))
    when 4 then inserted(path, 1 + @random.rand(path.size), pick(INSERTS))
    when 5 then changed_case(path)
    else path + '/' * (1 + @random.rand(2))
    end
  end

  # Never before the first slash: that is no origin-form, and Puma waits for ever then.
  def inserted(path, at, text) = at.zero? ? path[0] + text + path[1..] : path[0, at] + text + path[at..].to_s

  def at_slash(path)
    slashes = path.size.times.select { |at| path[at] == '/' }
    pick(slashes)
  end

  # One character, or all of a part.
  def encoded(path)
    at = 1 + @random.rand(path.size - 1)
    hex = pick(['%%%02x', '%%%02X'])
    return path.sub(pick(%w[projects files uploads url api v1])) { |word| word.bytes.map { |byte| format(hex, byte) }.join } if @random.rand < 0.2
    path[at] == '%' ? path : path[0, at] + format(hex, path[at].ord) + path[at + 1..]
  end

  def changed_case(path)
    at = 1 + @random.rand(path.size - 1)
    path[0, at] + path[at].swapcase + path[at + 1..].to_s
  end
end

def decide(cli, requests)
  out, = Open3.capture2(cli, stdin_data: requests.map { |method, target| "#{method} #{target}\n" }.join)
  out.lines.map(&:split)
end

cli, count, seed = ARGV
count = (count || 4000).to_i
seed = (seed || Random.new_seed % 1_000_000).to_i
generator = Generator.new(seed)
checks = Checks.new
puts "seed #{seed}"

Stack.run(environment: { 'SHOW_ROUTE' => '1' }) do |stack|
  router = Router.new(stack.puma_port)
  requests = Array.new(count) { generator.path.then { |method, path| [method, path, "#{path}?info"] } }.uniq
  ours = decide(cli, requests.map { |method, _, target| [method, target] })
  known = refused = 0
  wrong = requests.zip(ours).filter_map do |(method, _, target), (rule, id)|
    answer = router.ask(method, target)
    refused += 1 unless answer
    next unless answer
    theirs = RULES.fetch(answer['x-route'].to_s.sub(/\AHEAD/, 'GET'), '-')
    their_id = answer['x-route-id'].to_s.unpack1('m')
    their_id = theirs != '-' && their_id.match?(UUID) ? their_id.downcase : '-'
    known += 1 unless theirs == '-'
    next if [theirs, their_id] == [rule, id]
    next if theirs == '-' && rule == '-' # an id is of no interest where there is no rule
    next if rule == 'status_path' && theirs == '-' # hidden in doubt
    "#{method} #{target}: router #{theirs} #{their_id}, sidecar #{rule} #{id}"
  end
  checks.that "the router's route is the rule's route (#{requests.size} targets, #{known} on a route, #{refused} refused by Puma)",
              wrong.empty?, wrong.first(40).join("\n")
  checks.that 'the targets are worth comparing', known > requests.size / 20 && known + refused < requests.size

  queries = Array.new(count / 4) { generator.query }.uniq
  targets = queries.map { |query| ['GET', "/api/v1/projects/#{Generator::IDS[0]}?#{query}"] }
  compared = 0
  wrong = targets.zip(decide(cli, targets)).filter_map do |(method, target), (rule, _)|
    theirs = router.ask(method, target)&.fetch('x-info', nil) or next # Puma or Rack refuse the query
    compared += 1
    "#{target}: router #{theirs}, sidecar #{rule}" unless (theirs == 'yes') == (rule == 'project_info')
  end
  checks.that "a query has `info` for both or for neither (#{compared} of #{queries.size} queries)", wrong.empty? && compared > queries.size / 3, wrong.first(40).join("\n")

  paths = Array.new(count / 4) { generator.status_path }.uniq
  taken = 0
  open = paths.zip(decide(cli, paths)).filter_map do |(method, path), (rule, _)|
    next unless RULES[router.ask(method, path)&.fetch('x-route', '').to_s.sub(/\AHEAD/, 'GET')] == 'status_path'
    taken += 1
    "#{method} #{path}" unless rule == 'status_path'
  end
  checks.that "no spelling of the status endpoint's path gets past (#{taken} of #{paths.size} reach it)", open.empty? && taken.positive?, open.join("\n")
end

checks.finish
