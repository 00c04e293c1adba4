// cli/receipt_commands.cc: `volary job receipt`, `volary verify-receipt`, `volary server key`.
#include "cli/lineage_commands.h"

#include "cli/receipt_check.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"

namespace volary {
namespace {

constexpr int exit_unproven = 1;
constexpr uint64_t receipt_bytes_max = 16 << 20;
constexpr size_t key_digits = 64;

struct ReceiptOptions {
  std::string id;
  std::optional<std::string> run;
};

std::vector<CommandField> receipt_fields(ReceiptOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job", .need = Need::required, .words = Words::jobs},
          {.name = "--run", .target = &o.run, .help = "of run N; of the newest unless told", .value = "N"}};
}

int receipt(Session& session, const ReceiptOptions& o) {
  Query query;
  if (o.run) query.emplace_back("run", std::to_string(parse_count(*o.run, "--run", 1)));
  session.output().text(session.client().text(api_path({"jobs", o.id, "receipt"}), query));
  return 0;
}

struct VerifyOptions {
  std::string file;
  std::optional<std::string> key;
};

std::vector<CommandField> verify_fields(VerifyOptions& o) {
  return {{.name = "FILE", .target = &o.file, .help = "the receipt; '-' is standard input", .need = Need::required,
           .words = Words::files},
          {.name = "--key", .target = &o.key,
           .help = "the public key that must have signed it, or a file that holds it ('volary server key' prints it)",
           .value = "FILE|HEX", .words = Words::files}};
}

bool is_key(const std::string& text) {
  return text.size() == key_digits && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

std::string key_of(const std::string& given) {
  if (is_key(given)) return given;
  std::string text = read_file(given, receipt_bytes_max);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  if (!is_key(text))
    throw Error(Errc::invalid,
                "'{}' holds no public key: expected 64 hexadecimal digits, as 'volary server key' prints", given);
  return text;
}

std::string read_receipt(const std::string& file) {
  return file == "-" ? read_file("/dev/stdin", receipt_bytes_max) : read_file(file, receipt_bytes_max);
}

void print_versions(Output& output, std::string_view what, const std::vector<ReceiptVersion>& versions) {
  for (const ReceiptVersion& one : versions)
    output.line(fmt::format("{} {}@{} at {} ({}): {} files, {}, checksum {}", what, one.volume, one.version, one.path,
                            one.access, one.files, bytes_text(one.bytes), one.checksum));
}

int verify(Session& session, const VerifyOptions& o) {
  const std::string key = o.key ? key_of(*o.key) : "";
  const CheckedReceipt checked = check_receipt(read_receipt(o.file), key);
  if (!checked.fault.empty()) {
    session.note(fmt::format("volary: '{}' proves nothing: {}", o.file, checked.fault));
    return exit_unproven;
  }
  Output& output = session.output();
  const SignedReceipt& found = *checked.receipt;
  if (output.is_structured()) {
    output.document(to_json(found));
  } else {
    const Receipt& receipt = found.receipt;
    output.line(fmt::format("job {} ({}) of {} in project {}: {}, {}", receipt.job, receipt.name, receipt.user,
                            receipt.project, receipt.state, time_text(receipt.ended_at)));
    print_versions(output, "read", receipt.read);
    print_versions(output, "made", receipt.written);
    output.line("signed by " + found.key);
  }
  session.note(o.key ? "the receipt is right"
                     : "the receipt is whole; whose key that is, only who gives --key is told: 'volary server key' "
                       "prints a server's");
  return 0;
}

struct NoOptions {};

std::vector<CommandField> no_fields(NoOptions&) { return {}; }

int server_key(Session& session, const NoOptions&) {
  const json::value answer = session.client().get(api_path({"server", "key"}));
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(typed<ServerKey>(answer).key);
  return 0;
}

}  // namespace

std::vector<Command> receipt_commands() {
  return {
      make_command<ReceiptOptions>(
          {.path = {"job", "receipt"}, .summary = "print what an ended job read and made, signed by the server",
           .example = "volary job receipt train-digits > train.receipt.json",
           .more = "A JSON document of one form only: keep its bytes as they are. It names each version with its "
                   "checksum, as 'volary checksum' prints it of the same files."},
          receipt_fields, receipt),
      make_command<VerifyOptions>(
          {.path = {"verify-receipt"}, .summary = "hold a receipt against its signature, without a server",
           .example = "volary verify-receipt train.receipt.json --key server.key",
           .more = "Exits with 0 if not one byte was changed, and with 1 otherwise, or if another key signed it than "
                   "--key. Without --key it proves only that the receipt is whole, not who made it."},
          verify_fields, verify),
      make_command<NoOptions>({.path = {"server", "key"}, .summary = "print the public key of the server's receipts",
                               .example = "volary server key > server.key"},
                              no_fields, server_key)};
}

}  // namespace volary
