# Answers the sidecar's polls with a document, and holds those that know it already until it changes (`Prefer: wait`,
# RFC 7240). A held poll takes no thread of Puma's: its socket is taken over (Rack's hijack), and one thread of this file
# looks after all of them with one look for all. It reads only, and answers nobody who does not know the secret.
# For Ruby 2.6 and later; it needs nothing but Rack.
require 'digest/sha2' # by name: loaded at its first use, by two threads at once, it is an error
require 'json'
require 'rack/utils'

module DDS
  class HeldPolls
    WAIT_MAX = 30       # seconds
    HELD_MAX = 200      # requests; whoever comes after them is answered at once, and asks again after its interval
    WRITE_TIMEOUT = 10  # seconds for an answer to leave
    TICK = 0.5          # seconds at most until a new poll is looked after

    Poll = Struct.new(:socket, :tag, :wait, :deadline, :output)

    # The block makes the document, as text; it is called on any thread.
    def initialize(look_every: Float(ENV.fetch('SIDECAR_LOOK_EVERY', '0.5')), &document)
      @look_every = look_every
      @document = document
      @lock = Mutex.new # over what follows
      @polls = []
      @keeper = nil
    end

    def call(env)
      # It would be thousands of transactions a day that say nothing of the API.
      ::NewRelic::Agent.ignore_transaction if defined?(::NewRelic::Agent)
      refuse(env) || answer(env)
    rescue StandardError => e
      unavailable(e)
    end

    private

    def refuse(env)
      return error(404, 'Not Found', 'there is nothing below this path') unless ['', '/'].include?(env['PATH_INFO'])
      return error(405, 'Not Allowed', 'GET it') unless env['REQUEST_METHOD'] == 'GET'
      return error(503, 'there is no secret', 'set SIDECAR_SECRET, or SIDECAR_SECRET_FILE to a file that can be read') if secret.empty?
      error(403, 'Unauthorized', 'send X-Sidecar-Secret') unless Rack::Utils.secure_compare(secret, env['HTTP_X_SIDECAR_SECRET'].to_s)
    end

    # Read when it is asked for: a rake task, a worker or a migration loads this file too, and knows no secret.
    def secret
      file = ENV['SIDECAR_SECRET_FILE']
      (file ? File.read(file) : ENV['SIDECAR_SECRET'].to_s).strip
    rescue SystemCallError
      ''
    end

    def answer(env)
      json, tag = look
      known = env['HTTP_IF_NONE_MATCH'] == tag
      wait = [env['HTTP_PREFER'].to_s[/(?:\A|,)\s*wait\s*=\s*"?(\d+)/i, 1].to_i, WAIT_MAX].min
      wait = 0 unless env['rack.hijack?']
      return [-1, {}, []] if known && wait.positive? && hold(env, tag, wait)
      # Who was asked to wait and knows another document has one at once; who knows this one was not held.
      status, fields, text = response(json, tag, known, known ? 0 : wait)
      [status, fields, text.empty? ? [] : [text]]
    end

    def look
      json = @document.call
      [json, %(W/"#{Digest::SHA256.hexdigest(json)[0, 32]}")]
    end

    def response(json, tag, known, wait)
      # Puma lets a thread wait 0.2 s for another request on a kept connection: five threads would answer 25 polls a second.
      fields = { 'ETag' => tag, 'Cache-Control' => 'no-cache', 'Connection' => 'close' }
      fields['Preference-Applied'] = "wait=#{wait}" if wait.positive?
      known ? [304, fields, ''] : [200, fields.merge('Content-Type' => 'application/json'), json]
    end

    def error(status, reason, suggestion)
      text = { error: status.to_s, code: 'not_provided', reason: reason, suggestion: suggestion }.to_json
      [status, { 'Content-Type' => 'application/json', 'Connection' => 'close' }, [text]]
    end

    def unavailable(exception)
      warn "consistency: #{exception.class}: #{exception.message}"
      error(503, 'the database gave no answer', 'the log tells why')
    end

    # --- what is held -----------------------------------------------------------------------------------------------

    def hold(env, tag, wait)
      @lock.synchronize do
        return false if @polls.size >= HELD_MAX
        @polls << Poll.new(env['rack.hijack'].call || env['rack.hijack_io'], tag, wait, now + wait)
        # Made by need, hence in each worker that Puma forks, and gone when nothing is held.
        @keeper = Thread.new { keep } unless @keeper && @keeper.alive?
        at_exit { let_go } unless @at_exit_of == Process.pid
        @at_exit_of = Process.pid
      end
      true
    end

    # The process ends: nothing has changed so far, and whoever asks again finds another one.
    def let_go
      @keeper.kill.join if @keeper
      polls_now.each { |poll| leave(poll, response(nil, poll.tag, true, poll.wait)) }
    end

    def polls_now
      @lock.synchronize { @polls.dup }
    end

    def keep
      look_at = now + @look_every
      loop do
        polls = @lock.synchronize { @polls.empty? ? (return @keeper = nil) : @polls.dup }
        waiting, leaving = polls.partition { |poll| poll.output.nil? }
        gone, = IO.select(waiting.map(&:socket), leaving.map(&:socket), nil, pause(polls, waiting.empty? ? nil : look_at))
        leaving.each { |poll| write(poll) }
        # Its end, or a request out of turn: the sidecar gives a poll up when it has learned something by other means.
        waiting.reject! { |poll| gone && gone.include?(poll.socket) && drop(poll) }
        next if waiting.empty? || (now < look_at && waiting.none? { |poll| now >= poll.deadline })
        settle(waiting)
        look_at = now + @look_every
      end
    rescue StandardError => e
      warn "consistency: #{e.class}: #{e.message}"
      polls_now.each { |poll| drop(poll) } # a poll that fails is asked again; one that hangs is not
      retry
    end

    def pause(polls, look_at)
      [(polls.map(&:deadline) + [look_at]).compact.min - now, 0].max.clamp(0, TICK)
    end

    # One look for all.
    def settle(waiting)
      json, tag = look
      waiting.each do |poll|
        next if poll.tag == tag && now < poll.deadline
        leave(poll, response(json, tag, poll.tag == tag, poll.wait))
      end
    rescue StandardError => e
      waiting.each { |poll| leave(poll, unavailable(e)) }
    end

    def leave(poll, answer)
      return if poll.output
      status, fields, text = answer
      text = text.is_a?(Array) ? text.join : text
      fields = fields.merge('Content-Length' => text.bytesize.to_s) unless status == 304
      poll.output = "HTTP/1.1 #{status} #{Rack::Utils::HTTP_STATUS_CODES[status]}\r\n".b
      fields.each { |name, value| poll.output << "#{name}: #{value}\r\n" }
      poll.output << "\r\n" << text.b
      poll.deadline = now + WRITE_TIMEOUT
      write(poll)
    end

    def write(poll)
      written = poll.socket.write_nonblock(poll.output, exception: false)
      poll.output = poll.output.byteslice(written..-1) unless written.is_a?(Symbol)
      drop(poll) if poll.output.empty? || now > poll.deadline
    rescue SystemCallError, IOError
      drop(poll)
    end

    def drop(poll)
      @lock.synchronize { @polls.delete_if { |one| one.equal?(poll) } }
      poll.socket.close
      true
    rescue SystemCallError, IOError
      true
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
