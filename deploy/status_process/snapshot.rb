# The document that the sidecar polls, read from the database of the DDS API by plain SQL, with none of its code.
require 'json'
require 'pg'
require 'set'

class Snapshot
  # One statement is one snapshot. What POST uploads and the two url endpoints ask of a resource, asked of all at once:
  # projects whose storage at the default provider is not initialised, and files whose current version's upload has been
  # completed and is not consistent yet. (With an integrity error it is: its url says 400 for good.)
  # The words about uploads are the index's own, or it is not used; they are an array, or PostgreSQL takes them for a
  # thousand times as many as there are, and compiles a plan for that (its JIT takes 40 ms).
  SQL = <<~TEXT.freeze
    SELECT 'project' AS kind, p.id, NULL AS project_id
      FROM projects p
     WHERE p.is_deleted IS NOT TRUE
       AND NOT EXISTS (SELECT FROM project_storage_providers s
                        WHERE s.project_id = p.id AND s.is_initialized
                          AND s.storage_provider_id = (SELECT id FROM storage_providers WHERE is_default
                                                        ORDER BY created_at DESC LIMIT 1))
    UNION ALL
    SELECT 'file', c.id, c.project_id
      FROM file_versions v
      JOIN containers c ON c.id = v.data_file_id
     WHERE v.upload_id = ANY (ARRAY(SELECT id FROM uploads WHERE completed_at IS NOT NULL AND is_consistent IS NOT TRUE))
       AND c.type = 'DataFile' AND c.is_deleted IS NOT TRUE
       AND v.version_number = (SELECT max(w.version_number) FROM file_versions w WHERE w.data_file_id = v.data_file_id)
  TEXT

  # `url`: as libpq takes it; without one, its PGHOST, PGUSER and so on.
  def initialize(url = nil)
    @url = url.to_s
    @lock = Mutex.new # over the one connection
  end

  def document
    projects, files = rows.partition { |kind,| kind == 'project' }
    not_upload_ready = projects.map { |_, id| id }.to_set
    not_download_ready = files.map(&:last).compact.to_set
    { projects: (not_upload_ready | not_download_ready).sort.map do |id|
                  { id: id, is_upload_ready: !not_upload_ready.include?(id), is_download_ready: !not_download_ready.include?(id) }
                end,
      files: files.map { |_, id| id }.uniq.sort.map { |id| { id: id, is_download_ready: false } } }.to_json
  end

  private

  # A connection may have been closed since it was used last; a fresh one may not.
  def rows
    @lock.synchronize do
      begin
        kept = !@connection.nil?
        connection.exec(SQL).values
      rescue PG::ConnectionBad, PG::UnableToSend, PG::AdminShutdown
        disconnect
        kept ? retry : raise
      end
    end
  end

  def connection
    @connection ||= PG.connect(@url, connect_timeout: 5, application_name: 'sidecar status').tap do |made|
      made.exec('SET statement_timeout = 10000; SET default_transaction_read_only = on')
    end
  end

  def disconnect
    @connection&.close
  rescue PG::Error
    nil
  ensure
    @connection = nil
  end
end
