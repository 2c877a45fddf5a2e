# The legacy API's endpoints that touch consistency: parameters, order of checks, statuses and error shapes as DDS has
# them, in Grape.
require 'grape'

module DDS
  module V1
    class Base < Grape::API
      version 'v1', using: :path
      content_type :json, 'application/json'
      format :json
      default_format :json
      prefix :api

      helpers do
        def authenticate!
          token = env['HTTP_AUTHORIZATION'] # with an empty value, it is a token that does not decode
          unauthorized!('no api_token', 'you might need to login through an authenticaton service') unless token
          @user = User.of_token(token) || unauthorized!('invalid api_token', 'token not properly signed')
        end

        def unauthorized!(reason, suggestion)
          error!({ error: 401, code: 'not_provided', reason: reason, suggestion: suggestion }, 401)
        end

        def authorize! = @user == User::OWNER || raise(NotAuthorizedError)

        def hide_logically_deleted(object)
          raise ActiveRecord::RecordNotFound, "find #{object.class.name} with #{object.id} not found" if object.is_deleted
          object
        end

        # A file has a completed upload, always.
        def incomplete!(upload)
          return if upload.completed_at && !upload.error_at
          why = upload.error_at ? 'cannot have an error' : 'must be completed successfully'
          error!({ error: '400', code: 'not_provided', reason: 'validation failed', suggestion: 'Fix the following invalid fields and resubmit',
                   errors: [{ field: 'upload', message: why }] }, 400)
        end

        def url_of(upload)
          raise ConsistencyException unless upload.is_consistent? || TestControl.urls_before_consistency
          raise IntegrityException, upload.error_message if upload.has_integrity_exception?
          upload.signed_url('GET')
        end

        def validation_error!(object)
          errors = object.errors.map { |error| { field: error.attribute, message: error.message } }
          error!({ error: '400', code: 'not_provided', reason: 'validation failed',
                   suggestion: 'Fix the following invalid fields and resubmit', errors: errors }, 400)
        end

        def paginate(all)
          page, per_page, total = params[:page], [params[:per_page], 1000].min, all.size
          pages = (total.to_f / per_page).ceil
          { 'X-Total' => total, 'X-Total-Pages' => pages, 'X-Page' => page, 'X-Per-Page' => per_page,
            'X-Next-Page' => (page + 1 if page < pages), 'X-Prev-Page' => (page - 1 if page > 1) }
            .each { |name, value| header name, value.to_s }
          { results: all.to_a[(page - 1) * per_page, per_page] || [] }
        end
      end

      def self.shaped_error(status, reason, suggestion, code = 'not_provided')
        { error: status.to_s, code: code, reason: reason, suggestion: suggestion }
      end

      rescue_from ActiveRecord::RecordNotFound do |e|
        what = e.message[/find\s(\w+)/, 1]
        error!(Base.shaped_error(404, "#{what} Not Found", "you may have mistyped the #{what} id"), 404)
      end
      rescue_from NotAuthorizedError do
        error!(Base.shaped_error(403, 'Unauthorized', 'request permission to access this resource'), 403)
      end
      rescue_from ConsistencyException do
        error!(Base.shaped_error(404, 'resource changes are still being processed by system',
                                 'this is a temporary state that will eventually be resolved by the system; please retry request',
                                 'resource_not_consistent'), 404)
      end
      rescue_from IntegrityException do |e|
        error!(Base.shaped_error(400, e.message, 'You must begin a new upload process'), 400)
      end

      helpers do
        params :pagination do
          optional :page, type: Integer, default: 1
          optional :per_page, type: Integer, default: 100
        end
        params :fingerprint do
          requires :value, type: String
          requires :algorithm, type: String
        end
      end

      params do
        requires :agent_key, type: String
        requires :user_key, type: String
      end
      post '/software_agents/api_token' do
        user = [User::OWNER, User::STRANGER].find { |u| u.values_at(:agent_key, :user_key) == params.values_at(:agent_key, :user_key) }
        raise ActiveRecord::RecordNotFound, 'find ApiKey' unless user
        { api_token: User.token(user), expires_on: Time.now.to_i + 7200, time_to_live: 7200 }
      end

      params do
        requires :name, type: String
        optional :slug, type: String
        requires :description, type: String
      end
      post '/projects' do
        authenticate!
        project = Project.new(declared(params, include_missing: false).merge(creator_id: @user[:id], etag: SecureRandom.hex))
        validation_error!(project) unless project.save
        status 202
        project
      end

      params { use :pagination }
      get '/projects' do
        authenticate!
        paginate(Project.where(is_deleted: false))
      end

      params { requires :id, type: String }
      get '/projects/:id' do
        authenticate!
        project = Project.find(params[:id])
        authorize!
        project
      end

      delete '/projects/:id' do
        authenticate!
        project = hide_logically_deleted(Project.find(params[:id]))
        authorize!
        project.update!(is_deleted: true)
        body false
      end

      params { use :pagination }
      get '/projects/:id/files' do
        authenticate!
        project = hide_logically_deleted(Project.find(params[:id]))
        authorize!
        page = paginate(project.data_files.unscope(:order).order(updated_at: :desc).where(is_deleted: false))
        page[:results].each { |file| file.upload.check_downloadable! } # each is shown with its url
        page
      end

      params do
        requires :project_id, type: String
        requires :name, type: String
        requires :content_type, type: String
        requires :size, type: Integer
        optional(:storage_provider, type: Hash) { requires :id, type: String }
        optional :chunked, type: Boolean, default: true
      end
      post '/projects/:project_id/uploads' do
        authenticate!
        given = declared(params, include_missing: false)
        project = hide_logically_deleted(Project.find(params[:project_id]))
        provider = given[:storage_provider] ? StorageProvider.find(given[:storage_provider][:id]) : StorageProvider.default
        raise ConsistencyException if project.project_storage_providers.where(storage_provider: provider).none?(&:is_initialized?)
        authorize!
        upload = (given[:chunked] ? ChunkedUpload : NonChunkedUpload).new(given.slice(:name, :content_type, :size).merge(project: project))
        upload.update(storage_provider: provider, creator_id: @user[:id], etag: SecureRandom.hex) || validation_error!(upload)
        if upload.chunked
          header 'X-MIN-CHUNK-UPLOAD-SIZE', '1'
          header 'X-MAX-CHUNK-UPLOAD-SIZE', '5368709122'
        else
          header 'X-MAX-UPLOAD-SIZE', '5368709122'
        end
        upload
      end

      get '/uploads/:id/' do
        authenticate!
        Upload.find(params[:id])
      end

      params do
        requires :number, type: Integer
        requires :size, type: Integer
        requires(:hash, type: Hash) { use :fingerprint }
      end
      put '/uploads/:id/chunks' do
        authenticate!
        upload = Upload.find(params[:id])
        upload.check_readiness!
        authorize!
        upload.signed_url
      end

      params { requires(:hash, type: Hash) { use :fingerprint } }
      put '/uploads/:id/complete' do
        authenticate!
        upload = Upload.find(params[:id])
        authorize!
        error!(Base.shaped_error(400, 'validation failed', ''), 400) if upload.completed_at
        upload.complete(declared(params)[:hash])
        status 202
        upload
      end

      params do
        requires(:parent, type: Hash) do
          requires :kind, type: String
          requires :id, type: String
        end
        requires(:upload, type: Hash) { requires :id, type: String }
        optional :label
      end
      post '/files' do
        authenticate!
        project = hide_logically_deleted(Project.find(params[:parent][:id]))
        upload = project.uploads.find(params[:upload][:id])
        authorize!
        incomplete!(upload)
        DataFile.transaction do
          project.data_files.create!(name: upload.name, label: params[:label]).tap { |file| file.upload = upload }
        end
      end

      get '/files/:id/' do
        authenticate!
        DataFile.find(params[:id])
      end

      params do
        optional(:upload, type: Hash) { requires :id, type: String }
        optional :label
      end
      put '/files/:id/' do
        authenticate!
        file = hide_logically_deleted(DataFile.find(params[:id]))
        authorize!
        file.upload = Upload.find(params[:upload][:id]).tap { |upload| incomplete!(upload) } if params[:upload]
        file.update!(label: params[:label]) if params[:label]
        file
      end

      delete '/files/:id/' do
        authenticate!
        hide_logically_deleted(DataFile.find(params[:id])).update!(is_deleted: true)
        body false
      end

      get '/files/:id/url' do
        authenticate!
        file = hide_logically_deleted(DataFile.find(params[:id]))
        authorize!
        url_of(file.upload)
      end

      get '/file_versions/:id/url' do
        authenticate!
        version = hide_logically_deleted(FileVersion.find(params[:id]))
        authorize!
        url_of(version.upload)
      end

      # Asks the database, the store, the queue and the graph. Without a token.
      get '/app/status' do
        status = { status: StorageProvider.default ? 'ok' : 'error', environment: Rails.env }
        status[:status] == 'ok' ? status : error!(status, 503)
      end
    end
  end

  class Base < Grape::API
    mount DDS::V1::Base
  end
end
