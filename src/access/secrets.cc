// access/secrets.cc: sealing and opening with libsodium, and the key's file.
#include "access/secrets.h"

#include <sodium.h>

#include <array>

#include "core/name.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t key_bytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
static_assert(nonce_bytes == 24 && tag_bytes == 16 && key_bytes == 32, "the format in secrets.h");

constexpr std::string_view select_secret = "SELECT id, project, name, keys, created_at FROM secret WHERE project = $1 ";

const uint8_t* raw(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }
uint8_t* raw(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

// A text that is wiped in the end.
struct Wiped {
  std::string text;
  ~Wiped() { sodium_memzero(text.data(), text.size()); }
};

std::string base64(std::string_view bytes) {
  constexpr int variant = sodium_base64_VARIANT_ORIGINAL;
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), raw(bytes), bytes.size(), variant);
  text.pop_back();  // Its final NUL.
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  size_t size = 0;
  if (sodium_base642bin(raw(bytes), bytes.size(), text.data(), text.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0)
    return std::nullopt;
  bytes.resize(size);
  return bytes;
}

Error not_opening(const std::string& what, const Path& key_file) {
  return Error(Errc::corrupt, "{} does not open with the key in {}: that is another key, or its row was altered", what,
               key_file.native());
}

std::string bound_text(const std::string& id, const std::string& project) { return id + '\0' + project; }

void check_wanted(const NewSecret& wanted) {
  const std::string name = Name::parse(wanted.name, "secret").text();
  if (wanted.values.empty() || wanted.values.size() > secret_values_max)
    throw Error(Errc::invalid, "secret '{}' has {} values: expected 1 to {}", name, wanted.values.size(),
                secret_values_max);
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  for (const auto& [key, value] : wanted.values) {
    if (key.empty() || key.size() > 63 || key.find_first_not_of(letters) != key.npos)
      throw Error(Errc::invalid, "a value of secret '{}' has a name of {} bytes that is none: expected 1 to 63 "
                  "letters, digits, '_', '.', '-'", name, key.size());  // Not shown: it may be a value, misplaced.
    if (!is_utf8(value))
      throw Error(Errc::invalid, "the value '{}' of secret '{}' is not UTF-8: encode it, as base64 say", key, name);
    if (value.size() > secret_value_bytes_max)
      throw Error(Errc::invalid, "the value '{}' of secret '{}' has {} bytes: expected at most {}", key, name,
                  value.size(), secret_value_bytes_max);
  }
}

}  // namespace

class Secrets::Key {
 public:
  explicit Key(std::string bytes) : key_{std::move(bytes)} {}

  std::string seal(std::string_view values, std::string_view bound, Random& random) const {
    const std::string nonce = random.bytes(nonce_bytes);
    std::string sealed(values.size() + tag_bytes, '\0');
    crypto_aead_xchacha20poly1305_ietf_encrypt(raw(sealed), nullptr, raw(values), values.size(), raw(bound),
                                               bound.size(), nullptr, raw(nonce), raw(key_.text));
    return base64(nonce + sealed);
  }

  // Nothing if it was sealed with another key or for another row, or altered.
  std::optional<std::string> open(std::string_view text, std::string_view bound) const {
    const auto bytes = from_base64(text);
    if (!bytes || bytes->size() < nonce_bytes + tag_bytes) return std::nullopt;
    const std::string_view sealed = std::string_view(*bytes).substr(nonce_bytes);
    std::string values(sealed.size() - tag_bytes, '\0');
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(raw(values), nullptr, nullptr, raw(sealed), sealed.size(),
                                                   raw(bound), bound.size(), raw(*bytes), raw(key_.text)) != 0)
      return std::nullopt;
    return values;
  }

 private:
  Wiped key_;
};

Secrets::Key Secrets::read_key() {
  const auto found = stat_of(key_file_, Follow::yes);
  if (!found)
    throw Error(Errc::unavailable, "the key file {} is not there: what was sealed with it opens only with it, so put "
                "it back from where it was kept", key_file_.native());
  if ((found->st_mode & 077) != 0)
    throw Error(Errc::denied, "the key file {} has mode {:04o}, so others may use it: expected 0600",
                key_file_.native(), found->st_mode & 07777);
  const Wiped text{read_file(key_file_, 4096)};
  std::string key(key_bytes, '\0');
  size_t size = 0;
  const char* end = nullptr;
  const bool good = sodium_hex2bin(raw(key), key.size(), text.text.data(), text.text.size(), "\n", &size, &end) == 0 &&
                    size == key_bytes && end == text.text.data() + text.text.size();
  if (!good)
    throw Error(Errc::corrupt, "the key file {} is no key: expected 64 hexadecimal digits", key_file_.native());
  return Key(std::move(key));
}

Secrets::Key Secrets::make_key() {
  const std::lock_guard guard(making_key_);
  if (!is_present(key_file_)) {
    const auto sealed = database_.read([](Transaction& transaction) {
      return *transaction.find<int64_t>(
          "SELECT (SELECT count(*) FROM secret) + (SELECT count(*) FROM webhook WHERE sealed <> '') + "
          "(SELECT count(*) FROM job WHERE sealed <> '')");
    });
    if (sealed > 0)
      throw Error(Errc::unavailable, "the key file {} is not there, and {} secrets are sealed with it: put it back "
                  "from where it was kept, or remove them first", key_file_.native(), sealed);
    const Wiped text{random_hex(key_bytes, random_) + "\n"};
    write_file_durably(key_file_, text.text, 0600);
  }
  return read_key();
}

Secret Secrets::create(const Caller& caller, const NewSecret& wanted) {
  check_wanted(wanted);
  std::vector<std::string> keys;
  for (const auto& [key, value] : wanted.values) keys.push_back(key);
  const std::string id = new_id("sec", random_);
  const Wiped values{print_json(to_json(wanted.values))};
  const std::string sealed = seal(id, caller.project, values.text);
  return database_.write([&](Transaction& transaction) {
    if (transaction.find<std::string>(std::string(select_secret) + "AND name = $2", caller.project, wanted.name))
      throw Error(Errc::exists, "there is a secret '{}' already in this project", wanted.name);
    transaction.run("INSERT INTO secret (id, tenant, project, name, keys, sealed, created_at, created_by) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    id, caller.tenant, caller.project, wanted.name, keys, sealed, clock_.now(), caller.name);
    return *transaction.find<Secret>(std::string(select_secret) + "AND id = $2", caller.project, id);
  });
}

std::vector<Secret> Secrets::list(const Caller& caller) {
  return database_.read([&](Transaction& transaction) {
    return transaction.all<Secret>(std::string(select_secret) + "ORDER BY name", caller.project);
  });
}

void Secrets::remove(const Caller& caller, const std::string& name) {
  database_.write([&](Transaction& transaction) {
    std::string users;
    for (const std::string& one : transaction.all<std::string>(
             "SELECT name FROM datastore WHERE project = $1 AND secret = $2 ORDER BY name", caller.project, name))
      users += (users.empty() ? "'" : ", '") + one + "'";
    if (!users.empty())
      throw Error(Errc::conflict, "secret '{}' is used by the datastores {}: expected none", printable(name), users);
    if (const auto webhook = transaction.find<std::string>(
            "SELECT name FROM webhook WHERE project = $1 AND secret = $2 ORDER BY name LIMIT 1", caller.project, name))
      throw Error(Errc::conflict, "secret '{}' signs what webhook '{}' sends: expected none", printable(name),
                  *webhook);
    if (transaction.run("DELETE FROM secret WHERE project = $1 AND name = $2", caller.project, name) == 0)
      throw Error(Errc::not_found, "there is no secret '{}' in this project", printable(name));
  });
}

std::string Secrets::seal(const std::string& id, const std::string& project, std::string_view text) {
  return make_key().seal(text, bound_text(id, project), random_);
}

std::string Secrets::unseal(const std::string& id, const std::string& project, std::string_view sealed) {
  auto text = read_key().open(sealed, bound_text(id, project));
  if (!text) throw not_opening("what " + id + " keeps sealed", key_file_);
  return *std::move(text);
}

std::map<std::string, std::string> Secrets::open(const std::string& project, const std::string& name) {
  using Sealed = std::pair<std::string, std::string>;
  std::optional<Sealed> found;
  database_.read([&](Transaction& transaction) {
    transaction.each("SELECT id, sealed FROM secret WHERE project = $1 AND name = $2",
                     [&](const Row& row) { found = Sealed(row.text(0), row.text(1)); }, project, name);
  });
  if (!found) throw Error(Errc::not_found, "there is no secret '{}' in this project", printable(name));
  auto values = read_key().open(found->second, bound_text(found->first, project));
  if (!values) throw not_opening(fmt::format("secret '{}'", printable(name)), key_file_);
  const Wiped text{std::move(*values)};
  return from_json<std::map<std::string, std::string>>(parse_json(text.text, "a secret"), "values");
}

}  // namespace volary
