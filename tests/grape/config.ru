# The legacy API's stack: Rails with its own middleware, rack-cors outermost, Grape mounted at /, and what a platform may
# add (Rack::Deflater). Environment: DATABASE_URL (sqlite3:FILE), SIDECAR_SECRET; READY_AFTER (seconds; without it a test
# says when), SHOW_ROUTE=1 (an answer names the route that took the request), FORCE_SSL=1 (as in production).
require 'rails'
require 'action_controller/railtie'
require 'active_record/railtie'
require 'grape'
require 'rack/cors'

class ShowRoute < Struct.new(:app)
  def call(env)
    app.call(env).tap do |_, headers, _|
      taken = env['grape.routing_args'] or next
      headers['X-Route'] = "#{taken[:route_info].request_method} #{taken[:route_info].pattern.origin}"
      headers['X-Route-Id'] = [(taken[:id] || taken[:project_id]).to_s].pack('m0')
      headers['X-Info'] = Rack::Request.new(env).GET.key?('info') ? 'yes' : 'no'
    end
  rescue Rack::QueryParser::InvalidParameterError, Rack::QueryParser::ParameterTypeError
    [400, {}, []]
  end
end

class DukeDataService < Rails::Application
  config.root = __dir__
  config.eager_load = true
  config.cache_classes = true
  config.consider_all_requests_local = false
  config.logger = Logger.new($stderr)
  config.log_level = :fatal
  config.secret_key_base = 'a key for tests'
  config.force_ssl = ENV.key?('FORCE_SSL')
  config.middleware.insert_before 0, Rack::Cors, debug: true, logger: -> { Rails.logger } do
    allow do
      origins ENV['CORS_ORIGINS']&.split(',') || '*'
      resource '*', headers: :any, methods: %i[get post delete put options head], max_age: 0,
                    expose: %w[X-Total X-Total-Pages X-Page X-Per-Page X-Next-Page X-Prev-Page]
    end
  end
  config.middleware.insert_after Rack::Cors, Rack::Deflater
  config.middleware.insert_after Rack::Cors, ShowRoute if ENV.key?('SHOW_ROUTE')
end

DukeDataService.initialize!
require_relative 'dds_models'
require_relative 'dds_api'
require_relative 'test_control'
require_relative '../../deploy/status_endpoint/consistency'

Rails.application.routes.draw do
  mount DDS::Consistency, at: '/internal'
  mount TestControl, at: '/test'
  mount DDS::Base, at: '/'
  root to: redirect('/apidocs', status: 302)
end
run Rails.application
