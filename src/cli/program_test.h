// cli/program_test.h: the whole command line as a process of its own, and a server for it to ask.
//
// cli_test is volary too: with VOLARY_TEST_AS_CLI in its environment its main runs the command line, whose `server`
// serves a FakeApi (program_test.cc). So processes, sockets, signals and exit codes are the real ones.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/file.h"
#include "core/synced.h"
#include "net/http_server.h"

namespace volary {

// A directory of the test's own, removed after it.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Path path(const std::string& below = "") const { return below.empty() ? root_ : root_ / below; }
  // Writes a file, with its directories.
  Path write(const std::string& name, std::string_view content) const;

 private:
  Path root_;
};

struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};

using Variables = std::map<std::string, std::string>;

// A process that runs `arguments`; its streams are files in `scratch`.
class Running {
 public:
  Running(const Scratch& scratch, const std::vector<std::string>& arguments, const Variables& variables,
          const std::string& input = "");
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  pid_t process() const { return process_; }
  std::string err_so_far() const { return read_file(err_); }
  Ran wait();

 private:
  Path out_;
  Path err_;
  pid_t process_ = 0;
};

// Of a volary command. HOME and the working directory are in `scratch`, whatever the machine's own settings are.
Variables volary_variables(const Scratch& scratch);
Ran run_volary(const Scratch& scratch, std::vector<std::string> arguments, Variables more = {},
               const std::string& input = "");
std::vector<std::string> volary_command(std::vector<std::string> arguments);

// An API with the answers that a test gives it, on a Unix socket.
class FakeApi {
 public:
  using Answer = std::function<Response(const Request&)>;
  // `first` stands before anybody can ask.
  explicit FakeApi(const Path& socket, std::map<std::string, Answer> first = {});

  void on(const std::string& method_and_path, Answer answer);
  void on(const std::string& method_and_path, int status, const std::string& body);
  // "METHOD path body" of each request but /healthz, in order.
  std::vector<std::string> requests();
  std::string url() const { return "unix:" + socket_.string(); }
  // Ends every connection.
  void stop() { server_->stop(); }

 private:
  Response answer(const Request& request);

  Path socket_;
  Synced<std::map<std::string, Answer>> answers_;
  Synced<std::vector<std::string>> requests_;
  std::unique_ptr<HttpServer> server_;
};

Response json_response(int status, const std::string& body);
Response problem_response(int status, const std::string& code, const std::string& detail);
// A stream of pieces that ends after the last.
Response stream_response(const std::string& content_type, std::vector<std::string> pieces);
std::string event_text(const std::string& name, const std::string& json);

}  // namespace volary
