# Without both, each look of the sidecar's status endpoint (or of the process beside the API) reads whole tables: seconds
# to minutes in place of milliseconds. Built while the API goes on serving and writing.
class IndexWhatIsInProcess < ActiveRecord::Migration[5.2]
  disable_ddl_transaction!

  def change
    # As many entries as there are uploads under check: those that nobody completed stay out of it.
    add_index :uploads, :id, name: 'index_uploads_in_process', algorithm: :concurrently,
                             where: 'completed_at IS NOT NULL AND is_consistent IS NOT TRUE'
    add_index :file_versions, :upload_id, algorithm: :concurrently
  end
end
