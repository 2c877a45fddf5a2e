# The sidecar's status endpoint within the DDS API: what is still being processed, read from the models that the API has.
# One answer is one complete snapshot; what it does not list is consistent. README.md here tells how to mount it.
# For Ruby 2.6 and Rails 5.2 on; it is a Rack application, of which Rails' routes and Grape mount any.
require 'set'

module DDS
  module Consistency
    module_function

    def call(env)
      POLLS.call(env)
    end

    # The thread that looks after held polls takes a connection for this, and gives it back.
    def document
      ActiveRecord::Base.connection_pool.with_connection { Snapshot.document.to_json }
    end

    POLLS = HeldPolls.new { document }

    # What POST uploads and the two url endpoints ask of a resource, asked of all at once. The models order themselves by
    # created_at, which most of these tables have: without `unscope(:order)` a join is ambiguous, and an error.
    module Snapshot
      module_function

      def document
        files = files_not_ready
        not_upload_ready = projects_not_ready.to_set
        not_download_ready = files.map(&:last).compact.to_set
        projects = (not_upload_ready | not_download_ready).sort.map do |id|
          { id: id, is_upload_ready: !not_upload_ready.include?(id), is_download_ready: !not_download_ready.include?(id) }
        end
        { projects: projects, files: files.map(&:first).uniq.sort.map { |id| { id: id, is_download_ready: false } } }
      end

      # Readiness is kept for each pair of project and storage provider; an upload that names none goes to the default.
      def projects_not_ready
        ready = ::ProjectStorageProvider.where(storage_provider_id: ::StorageProvider.default&.id, is_initialized: true)
        ready = ready.where.not(project_id: nil) # one NULL would make NOT IN true of nothing
        ::Project.unscope(:order).where('projects.is_deleted IS NOT TRUE').where.not(id: ready.select(:project_id)).pluck(:id)
      end

      # [id, project_id] of files whose current version's upload is under check. With an integrity error it is not: it has
      # been processed, and its url says 400 for good. The uploads come first, and by themselves: PostgreSQL takes them for
      # a thousand times as many as there are, and would compile a plan for that (its JIT takes 20 ms).
      def files_not_ready
        uploads_in_process.each_slice(1000).flat_map do |ids|
          ::DataFile.unscope(:order).where('containers.is_deleted IS NOT TRUE').joins(:file_versions)
                    .where(file_versions: { upload_id: ids })
                    .where('file_versions.version_number = (SELECT MAX(v.version_number) FROM file_versions v ' \
                           'WHERE v.data_file_id = file_versions.data_file_id)')
                    .pluck(:id, :project_id)
        end
      end

      # An upload that nobody completed stays inconsistent for ever, and no file has it. The words are the index's own, or
      # it is not used.
      def uploads_in_process
        ::Upload.unscope(:order).where('completed_at IS NOT NULL AND is_consistent IS NOT TRUE').pluck(:id)
      end
    end
  end
end
