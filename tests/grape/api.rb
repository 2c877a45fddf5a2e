# The requests that a DDS client makes, by name.
require_relative 'stack'

class Client
  # Both people the test API knows (dds_models.rb).
  def log_in(who = 'owner')
    keys = { agent_key: "#{who}-agent", user_key: "#{who}-key" }
    post('/api/v1/software_agents/api_token', json: keys, token: nil).tap { |answer| self.token = answer.json['api_token'] }
  end

  def create_project(name = 'genome')
    post('/api/v1/projects', json: { name: name, description: 'a project' })
  end

  def create_upload(project, path: "/api/v1/projects/#{project}/uploads", **options)
    post(path, json: { name: 'reads.fastq', content_type: 'text/plain', size: 4096 }, **options)
  end

  def complete(upload) = put("/api/v1/uploads/#{upload}/complete", json: { hash: { value: 'abc', algorithm: 'md5' } })

  def create_file(project, upload)
    post('/api/v1/files/', json: { parent: { kind: 'dds-project', id: project }, upload: { id: upload } })
  end

  # Test-only: what the job queue would have done.
  def initialize_project(id, done: true, provider: 'swift')
    post('/test/projects', json: { id: id, is_initialized: done, storage_provider: provider })
  end

  def settle_upload(id, done: true, **error) = post('/test/uploads', json: { id: id, is_consistent: done, **error })
  def hand_out_urls(before_consistency:) = post('/test/urls', json: { before_consistency: before_consistency })

  def sql(statement) = post('/test/sql', json: { statement: statement }).tap { |answer| abort answer.raw unless answer.status == 201 }

  def status(fields: [], secret: SECRET, **options)
    get(STATUS_PATH, fields: ["X-Sidecar-Secret: #{secret}", *fields], token: nil, **options)
  end
end
