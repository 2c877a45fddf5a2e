# What a test does in the place of the job queue: makes resources ready, or lets them fail. No part of DDS.
class TestControl < Grape::API
  # The later DDS answers 404 to a url until the file is consistent; the DDS of the proposal hands the url out.
  class << self
    attr_accessor :urls_before_consistency
  end

  format :json

  params do
    requires :id, type: String
    requires :is_initialized, type: Boolean
    optional :storage_provider, type: String, default: 'swift'
  end
  post '/projects' do
    provider = StorageProvider.find_by!(name: params[:storage_provider])
    Project.find(params[:id]).project_storage_providers.find_by!(storage_provider: provider).update!(is_initialized: params[:is_initialized])
    {}
  end

  params do
    requires :id, type: String
    requires :is_consistent, type: Boolean
    optional :error_message, type: String
  end
  post '/uploads' do
    upload = Upload.find(params[:id])
    upload.update!(is_consistent: params[:is_consistent])
    upload.update!(error_at: Time.now, error_message: params[:error_message]) if params[:error_message]
    {}
  end

  # What a database may hold that no request makes: one statement.
  params { requires :statement, type: String }
  post '/sql' do
    ActiveRecord::Base.connection.execute(params[:statement])
    {}
  end

  params { requires :seconds, type: Float }
  get('/slow') { sleep params[:seconds] }

  params { requires :before_consistency, type: Boolean }
  post('/urls') { TestControl.urls_before_consistency = params[:before_consistency] }
end
