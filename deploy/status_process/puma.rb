# Held polls take no thread; two are there so that a probe does not wait for a look.
bind ENV.fetch('BIND', 'tcp://127.0.0.1:3100')
threads 0, 2
workers 0
environment 'production'
log_requests false
