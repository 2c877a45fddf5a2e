# Requests share kept connections to Puma, those that write included (upstream.reuse_for_writes): none is lost, none is
# done twice, and Puma's habits on such connections (five threads, chunked answers, 304s, its own 400s) upset nothing.
# usage: kept_connections_test.rb SIDECAR
require_relative 'api'
require 'net/http'

CLIENTS = 8
ROUNDS = 40

def ask(http, method, path, token, body = nil)
  request = Net::HTTPGenericRequest.new(method, !body.nil?, true, path, { 'Authorization' => token, 'X-Forwarded-Proto' => 'https', 'Content-Type' => 'application/json' })
  request.body = body.to_json if body
  http.request(request)
end

checks = Checks.new
Stack.run(sidecar: ARGV.fetch(0), environment: { 'READY_AFTER' => '0' }) do |stack|
  token = stack.proxied.tap(&:log_in).token
  before = stack.relay.connections
  results = Array.new(CLIENTS) do |number|
    Thread.new do
      random = Random.new(number)
      Net::HTTP.start('127.0.0.1', stack.proxied.port) do |http|
        Array.new(ROUNDS) do |round|
          sleep random.rand(0.02)
          made = ask(http, 'POST', '/api/v1/projects', token, { name: "#{number}-#{round}", description: 'd' })
          id = JSON.parse(made.body)['id']
          [made.code, ask(http, 'GET', "/api/v1/projects/#{id}?info", token).code, ask(http, 'DELETE', "/api/v1/projects/#{id}", token).code,
           ask(http, 'POST', '/api/v1/projects', token, {}).code]
        end
      end
    end
  end.flat_map(&:value)
  checks.equal 'what clients send at once on kept connections is answered as ever', { %w[202 200 204 400] => CLIENTS * ROUNDS }, results.tally
  made = stack.relay.connections - before
  requests = CLIENTS * ROUNDS * 4
  # Puma ends a connection itself after ten requests in a row while all its threads are busy and others wait to connect.
  checks.that "#{requests} requests, three quarters of them writing, took #{made} connections to Puma", made.between?(1, requests / 8), made
  stack.backend.tap(&:log_in).get('/api/v1/projects')
  named = stack.relay.take[0].scan(/"name":"(\d+-\d+)"/).flatten
  checks.equal 'and no POST reached it twice', CLIENTS * ROUNDS, named.size
  checks.equal 'nor one of another name', CLIENTS * ROUNDS, named.uniq.size
end
checks.finish
