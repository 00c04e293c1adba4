// cli/secret_values.cc: reading values without ever printing one.
#include "cli/secret_values.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <termios.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"

namespace volary {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> known_names = {{
    {"AWS_ACCESS_KEY_ID", "access_key"},
    {"AWS_SECRET_ACCESS_KEY", "secret_key"},
    {"AWS_SESSION_TOKEN", "session_token"},
    {"HF_TOKEN", "token"},
    {"OS_USERNAME", "username"},
    {"OS_PASSWORD", "password"},
    {"OS_PROJECT_NAME", "project"},
    {"OS_TENANT_NAME", "project"},
    {"OS_USER_DOMAIN_NAME", "user_domain"},
    {"OS_PROJECT_DOMAIN_NAME", "project_domain"},
    {"OS_APPLICATION_CREDENTIAL_ID", "application_credential_id"},
    {"OS_APPLICATION_CREDENTIAL_SECRET", "application_credential_secret"},
    {"ST_USER", "user"},
    {"ST_KEY", "key"},
}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::string_view without_quotes(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == text.back() && (text.front() == '"' || text.front() == '\'');
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// Turns the terminal's echo off while it lives. Ctrl-C arrives as a character then, so that it is always turned on
// again.
class NoEcho {
 public:
  NoEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw error_from_errno(errno, "ask on", "the terminal");
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~NoEcho() { ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
};

std::string read_without_echo(std::string_view question) {
  std::fputs(std::string(question).c_str(), stderr);
  std::string text;
  bool interrupted = false;
  {
    const NoEcho quiet;
    for (char c = 0; ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n' && c != '\r' && c != 4;) {
      constexpr char control_c = 3, backspace = 8, rubout = 127;
      if (c == control_c) {
        interrupted = true;
        break;
      }
      if (c == backspace || c == rubout) {
        if (!text.empty()) text.pop_back();
      } else {
        text += c;
      }
    }
  }
  std::fputs("\n", stderr);
  if (interrupted) std::exit(130);
  return text;
}

}  // namespace

std::string stored_name(std::string name) {
  for (const auto& [variable, stored] : known_names)
    if (name == variable) return std::string(stored);
  return name;
}

SecretValues parse_secret_values(std::string_view text, std::string_view name) {
  SecretValues values;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view left = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (left.empty() || left.starts_with('#')) continue;
    if (left.starts_with("export ")) left = trimmed(left.substr(7));
    const size_t equals = left.find('=');
    if (equals == std::string_view::npos || equals == 0)
      throw Error(Errc::invalid, "{}:{}: expected KEY=VALUE", name, line);
    const std::string key = stored_name(std::string(trimmed(left.substr(0, equals))));
    const std::string_view value = without_quotes(trimmed(left.substr(equals + 1)));
    if (value.empty()) throw Error(Errc::invalid, "{}:{}: '{}' has no value", name, line, key);
    if (values.emplace(key, value).first->second != value)
      throw Error(Errc::invalid, "{}:{}: '{}' stands here for the second time", name, line, key);
  }
  if (values.empty()) throw Error(Errc::invalid, "{} holds no line KEY=VALUE", name);
  return values;
}

SecretValues secret_values_of_environment(
    const std::vector<std::string>& names,
    const std::function<std::optional<std::string>(const std::string&)>& variable) {
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    wanted = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"};
    if (variable("AWS_SESSION_TOKEN")) wanted.emplace_back("AWS_SESSION_TOKEN");
  }
  SecretValues values;
  for (const std::string& name : wanted) {
    const auto value = variable(name);
    if (!value) throw Error(Errc::invalid, "the variable '{}' is not set", name);
    values.emplace(stored_name(name), *value);
  }
  return values;
}

std::vector<AskedValue> s3_keys() {
  return {{"access_key", Shown::yes}, {"secret_key"}, {"session_token", Shown::no, Need::optional}};
}

SecretValues ask_secret_values(const std::vector<AskedValue>& asked) {
  SecretValues values;
  for (const AskedValue& one : asked) {
    const std::string hint = one.need == Need::optional ? "; Enter for none" : "";
    std::string value;
    if (one.shown == Shown::yes) {
      std::fputs(fmt::format("{}{}: ", one.name, hint.empty() ? "" : " (Enter for none)").c_str(), stderr);
      std::getline(std::cin, value);
    } else {
      value = read_without_echo(fmt::format("{} (not shown{}): ", one.name, hint));
    }
    if (value.empty() && one.need == Need::required)
      throw Error(Errc::invalid, "'{}' is empty: nothing was kept", one.name);
    if (!value.empty()) values.emplace(one.name, std::move(value));
  }
  return values;
}

std::string read_standard_input() {
  StringSink sink(secret_bytes_max);
  FileSource source(Fd(::dup(STDIN_FILENO)), "the standard input");
  pump(source, sink);
  return std::move(sink.text);
}

}  // namespace volary
