#include "tests/peers/peer.hpp"

#include "tests/harness/listener.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace peers {

const char* const nginx_configuration = R"(daemon off;
master_process off;
worker_processes 1;
pid @DIRECTORY@/pid;
error_log /dev/null;
events { worker_connections 1000; }
http {
  access_log off;
  client_body_temp_path @DIRECTORY@/body; proxy_temp_path @DIRECTORY@/proxy;
  fastcgi_temp_path @DIRECTORY@/fastcgi; uwsgi_temp_path @DIRECTORY@/uwsgi; scgi_temp_path @DIRECTORY@/scgi;
  client_header_timeout 1s; client_body_timeout 1s; send_timeout 5s; proxy_read_timeout 2s;
  client_header_buffer_size 128k; large_client_header_buffers 8 128k;
  underscores_in_headers on; merge_slashes off;
  upstream backend { server 127.0.0.1:@BACKEND@ max_fails=0; keepalive 16; }
  server {
    listen 127.0.0.1:@LISTEN@;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_pass_header Server; proxy_pass_header Date;
      proxy_request_buffering off; proxy_buffering off; proxy_next_upstream off;
      proxy_buffer_size 256k; proxy_buffers 8 256k; proxy_busy_buffers_size 512k;
    }
  }
}
)";

const char* const haproxy_configuration = R"(global
  nbthread 1
  maxconn 1000
  tune.bufsize 262144
  tune.http.maxhdr 1000
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 2s
  timeout http-request 1s
  timeout tunnel 5s
  retries 0
listen proxy
  bind 127.0.0.1:@LISTEN@
  server backend 127.0.0.1:@BACKEND@
)";

namespace {

using namespace std::chrono_literals;

std::string filled(std::string text, const std::string& name, const std::string& value) {
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at))
        text.replace(at, name.size(), value);
    return text;
}

std::uint16_t free_port() { return harness::listener().port(); }

pid_t start(std::vector<std::string> words) {
    const pid_t process = ::fork();
    if (process < 0) throw std::runtime_error("fork");
    if (process > 0) return process;
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int descriptor : {0, 1, 2}) ::dup2(nowhere, descriptor);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
}

void await_listening(std::uint16_t port) {
    const auto until = std::chrono::steady_clock::now() + harness::patience;
    while (true) {
        try {
            harness::wire::connect(port);
            return;
        } catch (const std::runtime_error&) {
            if (std::chrono::steady_clock::now() > until) throw;
            std::this_thread::yield();
        }
    }
}

} // namespace

peer::peer(const std::string& program, const std::string& configuration, const std::string& arguments,
           std::uint16_t backend)
    : port_(free_port()) {
    auto pattern = (std::filesystem::temp_directory_path() / "peer-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    directory_ = pattern;
    const auto path = (directory_ / "configuration").string();
    auto text = filled(configuration, "@LISTEN@", std::to_string(port_));
    text = filled(filled(text, "@BACKEND@", std::to_string(backend)), "@DIRECTORY@", directory_.string());
    std::ofstream(path) << text;
    std::vector<std::string> words{program};
    std::istringstream stream(filled(filled(arguments, "@CONFIGURATION@", path), "@DIRECTORY@", directory_.string()));
    for (std::string word; stream >> word;) words.push_back(word);
    process_ = start(std::move(words));
    await_listening(port_);
}

peer::~peer() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

std::optional<std::string> find_program(const std::string& name) {
    for (const char* const directory : {"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/", "/usr/local/bin/"})
        if (::access((directory + name).c_str(), X_OK) == 0) return directory + name;
    return {};
}

} // namespace peers
