# The sidecar's status endpoint for the DDS API: what is still being processed, read from the models that the API has.
# One answer is one complete snapshot; what it does not list is consistent. README.md here tells how to mount it.
# It reads only, and answers nobody who does not know SIDECAR_SECRET.
require 'digest'
require 'set'
require 'socket'

module DDS
  class Consistency < Grape::API
    SECRET = ENV.fetch('SIDECAR_SECRET') # no secret, no endpoint: the boot fails
    WAIT_MAX = 10                        # seconds; rack-timeout ends a request after 15
    LOOK_EVERY = Float(ENV.fetch('SIDECAR_LOOK_EVERY', '0.5')) # seconds between two looks while a request is held
    HELD = Mutex.new                     # at most one request is held in each Puma worker, so at most one thread

    format :json
    formatter :json, ->(json, _env) { json } # the document is text already: its ETag is made of it

    helpers do
      # Uncached: Rails' query cache, on during a request, must not answer the second look with the first one's rows.
      def look
        json = ActiveRecord::Base.uncached { Snapshot.document.to_json }
        [json, %(W/"#{Digest::SHA256.hexdigest(json)[0, 32]}")]
      ensure
        ActiveRecord::Base.connection_pool.release_connection # others may use it while this thread sleeps
      end

      # RFC 7240: who knows the document may be held until it changes. Who finds the place taken is answered at once,
      # without `Preference-Applied`, and asks again after its interval.
      def hold(json, tag, seconds)
        unless seconds.positive? && HELD.try_lock
          header 'Connection', 'close' # on a kept one Puma lets the thread wait 0.2 s for another request
          return [json, tag]
        end
        begin
          header 'Preference-Applied', "wait=#{seconds}"
          deadline = now + seconds
          while env['HTTP_IF_NONE_MATCH'] == tag && !gone? && (left = deadline - now).positive?
            sleep [LOOK_EVERY, left].min
            json, tag = look
          end
          [json, tag]
        ensure
          HELD.unlock
        end
      end

      # The sidecar gives up a held poll when it learns something by other means, and asks anew: the place must be free.
      def gone?
        socket = env['puma.socket']&.to_io
        socket && [nil, ''].include?(socket.recv_nonblock(1, Socket::MSG_PEEK, exception: false))
      rescue SystemCallError
        true
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end

    get :consistency do
      unless Rack::Utils.secure_compare(SECRET, env['HTTP_X_SIDECAR_SECRET'].to_s)
        error!({ error: '403', code: 'not_provided', reason: 'Unauthorized', suggestion: 'send X-Sidecar-Secret' }, 403)
      end
      wait = env['HTTP_PREFER'].to_s[/(?:\A|,)\s*wait\s*=\s*"?(\d+)/i, 1].to_i
      json, tag = hold(*look, [wait, WAIT_MAX].min)
      header 'ETag', tag # Rack::ConditionalGet, which Rails has, makes a 304 of it
      json
    end

    # What POST uploads and the two url endpoints ask of a resource, asked of all at once.
    module Snapshot
      module_function

      def document
        files = files_not_ready
        not_upload_ready = projects_not_ready.to_set
        not_download_ready = files.map(&:last).to_set
        projects = (not_upload_ready | not_download_ready).sort.map do |id|
          { id: id, is_upload_ready: !not_upload_ready.include?(id), is_download_ready: !not_download_ready.include?(id) }
        end
        { projects: projects, files: files.map(&:first).sort.map { |id| { id: id, is_download_ready: false } } }
      end

      # Readiness is kept for each pair of project and storage provider; an upload that names none goes to the default.
      def projects_not_ready
        ready = ProjectStorageProvider.where(storage_provider_id: StorageProvider.default&.id, is_initialized: true)
        ready = ready.where.not(project_id: nil) # one NULL would make NOT IN true of nothing
        Project.where(is_deleted: false).where.not(id: ready.select(:project_id)).pluck(:id)
      end

      # [id, project_id] of files whose current version's upload is not consistent. With an integrity error it counts
      # as consistent: it has been processed, and its url says 400 for good.
      def files_not_ready
        DataFile.where(is_deleted: false).joins(file_versions: :upload)
                .where('uploads.is_consistent IS NOT TRUE') # the index's own words, or PostgreSQL does not use it
                .where('file_versions.version_number = (SELECT MAX(v.version_number) FROM file_versions v ' \
                       'WHERE v.data_file_id = file_versions.data_file_id)')
                .pluck(:id, :project_id)
      end
    end
  end
end
