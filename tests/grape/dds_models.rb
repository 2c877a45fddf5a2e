# The legacy API's models, as far as consistency goes, under their real names and with what of the real schema can bite:
# default scopes that order by created_at, single-table inheritance, nullable booleans, ids that are uuid. On PostgreSQL,
# as the API, or on SQLite.
require 'active_record'
require 'digest/sha1'
require 'json'
require 'openssl'
require 'securerandom'

POSTGRESQL = ActiveRecord::Base.connection.adapter_name == 'PostgreSQL'
UUID = POSTGRESQL ? :uuid : :string

ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  ids = { id: UUID, if_not_exists: true }
  ids[:default] = -> { 'gen_random_uuid()' } if POSTGRESQL
  create_table(:storage_providers, **ids) do |t|
    t.string :name, :display_name, :description, :type, :chunk_hash_algorithm, :service_pass
    t.boolean :is_default
    t.boolean :is_deprecated, default: false, null: false
    t.timestamps
  end
  create_table(:projects, **ids) do |t|
    t.string :name, :slug, :description, :etag
    t.column :creator_id, UUID
    t.boolean :is_consistent # of another time: nothing writes it any more
    t.boolean :is_deleted, default: false
    t.timestamps
  end
  create_table(:project_storage_providers, **ids) do |t|
    t.column :project_id, UUID
    t.column :storage_provider_id, UUID
    t.boolean :is_initialized
    t.timestamps
  end
  create_table(:uploads, **ids) do |t|
    t.column :project_id, UUID
    t.column :storage_provider_id, UUID
    t.column :creator_id, UUID
    t.string :type, :name, :content_type, :etag, :error_message, :hashes_json, :storage_container, :multipart_upload_id
    t.bigint :size
    t.boolean :is_consistent
    t.datetime :completed_at, :error_at, :purged_on
    t.timestamps
  end
  create_table(:containers, **ids) do |t|
    t.string :type, :name, :label, :etag
    t.column :project_id, UUID
    t.column :parent_id, UUID
    t.column :deleted_from_parent_id, UUID
    t.boolean :is_deleted, :is_purged, default: false
    t.timestamps
    t.index %i[id type]
    t.index :parent_id
    t.index %i[project_id parent_id is_deleted]
    t.index :project_id
  end
  create_table(:file_versions, **ids) do |t|
    t.column :data_file_id, UUID
    t.column :upload_id, UUID
    t.string :label
    t.integer :version_number
    t.boolean :is_deleted, :is_purged, default: false
    t.timestamps
    t.index :data_file_id
  end
end

class ConsistencyException < StandardError; end
class IntegrityException < StandardError; end
class NotAuthorizedError < StandardError; end

# PostgreSQL's uuid on SQLite: the same in either case.
class Uuid < ActiveRecord::Type::String
  def serialize(value) = super&.downcase
end

class ApplicationRecord < ActiveRecord::Base
  self.abstract_class = true
  attribute :id, Uuid.new unless POSTGRESQL
  before_create { self.id ||= SecureRandom.uuid }

  def audit
    { created_on: created_at, created_by: { id: User::OWNER[:id], username: 'owner', full_name: 'Project Owner' },
      last_updated_on: nil, last_updated_by: nil, deleted_on: nil, deleted_by: nil }
  end
end

# Stands for the job queue: work is done after READY_AFTER seconds, by whichever process there is then; without it, only
# when a test says so.
module Jobs
  module_function

  def later(&work)
    return unless (delay = ENV['READY_AFTER'])
    Thread.new do
      sleep Float(delay)
      ActiveRecord::Base.connection_pool.with_connection(&work)
    rescue ActiveRecord::ActiveRecordError # no connection free, say: a queue tries again
      retry
    end
  end

  # A queue keeps what a process that ended had not done.
  def resume
    ProjectStorageProvider.where(is_initialized: nil).each(&:initialize_storage)
    Upload.where(is_consistent: nil).where.not(completed_at: nil).each(&:check)
  end
end

class StorageProvider < ApplicationRecord
  default_scope { order('created_at DESC') }
  has_many :project_storage_providers
  after_create { Project.all.each { |project| project_storage_providers.create!(project: project) } }

  def self.default = find_by(is_default: true)
end

class SwiftStorageProvider < StorageProvider; end
class S3StorageProvider < StorageProvider; end

class Project < ApplicationRecord
  default_scope { order('created_at DESC') }
  has_many :project_storage_providers
  has_many :uploads
  has_many :folders
  has_many :data_files
  has_many :containers
  validates :name, :description, presence: true, unless: :is_deleted
  after_create { StorageProvider.all.each { |provider| project_storage_providers.create!(storage_provider: provider) } }

  def kind = 'dds-project'

  def as_json(*)
    { kind: kind, id: id, name: name, slug: slug, description: description, is_deleted: is_deleted, audit: audit }.as_json
  end
end

class ProjectStorageProvider < ApplicationRecord
  belongs_to :project
  belongs_to :storage_provider
  after_create_commit :initialize_storage

  def initialize_storage = Jobs.later { update!(is_initialized: true) }
end

class Upload < ApplicationRecord
  default_scope { order('created_at DESC') }
  belongs_to :project
  belongs_to :storage_provider
  validates :name, :size, presence: true
  before_create { self.storage_container = project_id }

  def chunked = is_a?(ChunkedUpload)
  def check_readiness! = project_ready? || raise(ConsistencyException)
  def has_integrity_exception? = !error_at.nil?

  def check_downloadable!
    raise IntegrityException, error_message if has_integrity_exception?
    raise ConsistencyException unless is_consistent?
  end

  def project_ready?
    project.project_storage_providers.where(storage_provider: storage_provider).any?(&:is_initialized?)
  end

  def complete(hash)
    self.completed_at = Time.now
    self.hashes_json = [hash].to_json
    save && check
  end

  def check = Jobs.later { update!(is_consistent: true) }

  def signed_url(verb = 'PUT')
    { http_verb: verb, host: 'https://store.example', url: "/#{project_id}/#{id}?temp_url_sig=#{Digest::SHA1.hexdigest(id)}&expires=1",
      http_headers: [] }
  end

  def as_json(*)
    { id: id, name: name, content_type: content_type, size: size, etag: etag, storage_container: project_id,
      chunks: chunked ? [] : nil, signed_url: chunked || completed_at ? nil : signed_url,
      status: { initiated_on: created_at, ready_for_chunks: chunked ? project_ready? : nil, completed_on: completed_at,
                is_consistent: is_consistent, purged_on: nil, error_on: error_at, error_message: error_message },
      audit: audit, project: { id: project_id, name: project.name },
      storage_provider: { id: storage_provider_id, name: storage_provider.name },
      hashes: JSON.parse(hashes_json || '[]') }.as_json
  end
end

class ChunkedUpload < Upload; end
class NonChunkedUpload < Upload; end

class Container < ApplicationRecord
  default_scope { order('created_at DESC') }
  belongs_to :project
  belongs_to :parent, class_name: 'Folder', optional: true
end

class Folder < Container
  has_many :children, class_name: 'Container', foreign_key: 'parent_id'
end

class DataFile < Container
  has_many :file_versions, -> { order('version_number ASC') }

  def current_file_version = file_versions.to_a.last
  def upload = current_file_version.upload

  def upload=(upload)
    file_versions.create!(upload: upload, version_number: (file_versions.maximum(:version_number) || 0) + 1)
    file_versions.reset
  end

  def as_json(*)
    version = current_file_version
    { kind: 'dds-file', id: id, parent: { kind: 'dds-project', id: project_id }, name: name, audit: audit,
      is_deleted: is_deleted,
      current_version: { id: version.id, version: version.version_number, label: label,
                         upload: { id: upload.id, size: upload.size, storage_provider: { id: upload.storage_provider_id } } },
      project: { id: project_id, name: project.name },
      ancestors: [{ kind: 'dds-project', id: project_id, name: project.name }] }.as_json
  end
end

class FileVersion < ApplicationRecord
  belongs_to :data_file
  belongs_to :upload
end

# Two people: who owns every project, and a stranger to all of them. Their tokens are JWTs, as DDS makes them.
module User
  OWNER = { id: '1f6e1b9a-7f43-4c86-9a7b-0d2f7e9d6c01', agent_key: 'owner-agent', user_key: 'owner-key' }.freeze
  STRANGER = { id: '7d0f3c1e-25b4-4a7e-8f0f-6ad1c3b4e502', agent_key: 'stranger-agent', user_key: 'stranger-key' }.freeze
  KEY = 'a key for tests'.freeze

  module_function

  def token(user, lives_for: 7200)
    text = [{ alg: 'HS256' }, { id: user[:id], exp: Time.now.to_i + lives_for }].map { |part| encode(part.to_json) }.join('.')
    "#{text}.#{encode(OpenSSL::HMAC.digest('SHA256', KEY, text))}"
  end

  def of_token(token)
    text, _, signature = token.rpartition('.')
    return unless signature == encode(OpenSSL::HMAC.digest('SHA256', KEY, text))
    claims = JSON.parse(text.split('.')[1].tr('-_', '+/').unpack1('m'))
    [OWNER, STRANGER].find { |user| user[:id] == claims['id'] }
  end

  def encode(bytes) = [bytes].pack('m0').tr('+/', '-_').delete('=')
end

unless StorageProvider.any?
  SwiftStorageProvider.create!(name: 'swift', display_name: 'OIT', is_default: true)
  S3StorageProvider.create!(name: 's3', display_name: 'S3', is_default: false)
end

# With SQLite there is one connection only: its own waiting for a lock would stop all of Ruby's threads. So the models learn
# their columns now, not while one request has the connection and another the lock on the columns; then it is free.
[StorageProvider, Project, ProjectStorageProvider, Upload, DataFile, FileVersion].each(&:new)
ActiveRecord::Base.connection_pool.release_connection
