// access/access_test.cc: Tokens that are believed and those that are not, and what the roles behind them permit.
#include "access/access.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "core/digest.h"
#include "db/scratch_test.h"

namespace volary {
namespace {

class AccessTest : public testing::Test {
 protected:
  std::string token_of(const std::string& name, const std::string& role) {
    return access_.create_token(admin_, {.name = name, .role = role, .subject = {}, .expires_seconds = {}}).token;
  }
  std::string error_believing(std::string_view token) {
    return error_of([&] { access_.authenticate(token); });
  }
  void run(std::string_view sql) {
    database_->write([&](Transaction& transaction) { transaction.run(sql); });
  }

  std::unique_ptr<Database> database_ = open_database("sqlite::memory:");
  FakeClock clock_{parse_time("2026-11-20T12:00:00Z")};
  SeededRandom random_{7};
  Access access_{*database_, clock_, random_};
  const std::string admin_token_ = *access_.create_admin_token();
  const Caller admin_ = access_.authenticate(admin_token_);
};

TEST_F(AccessTest, TellsTheFirstTokenOnce) {
  EXPECT_TRUE(std::regex_match(admin_token_, std::regex("volary_[0-9a-z]{16}_[0-9a-f]{48}"))) << admin_token_;
  EXPECT_EQ(access_.create_admin_token(), std::nullopt);
  EXPECT_EQ(admin_.name, "admin");
  EXPECT_EQ(admin_.tenant, "ten-default");
  EXPECT_EQ(admin_.project, "prj-default");
}

TEST_F(AccessTest, LetsNobodyIntoAProjectWithoutAGrantThere) {
  run("INSERT INTO project (id, tenant, name, quota_fs_bytes, quota_obs_bytes) "
      "VALUES ('prj-a', 'ten-default', 'a', 1, 1), ('prj-b', 'ten-default', 'b', 1, 1)");
  const Caller admin_of_a = access_.in_project(admin_, "a");
  EXPECT_EQ(admin_of_a.project, "prj-a");
  EXPECT_EQ(access_.in_project(admin_, "prj-b").project, "prj-b");
  EXPECT_EQ(access_.projects_of(admin_), (std::vector<std::string>{"prj-a", "prj-b", "prj-default"}));

  const Caller ci = access_.authenticate(
      access_.create_token(admin_of_a, {.name = "ci", .role = "editor", .subject = {}, .expires_seconds = {}}).token);
  EXPECT_EQ(ci.project, "prj-a");  // Where it has its grant.
  access_.require(ci, Permission::volume_create);
  EXPECT_EQ(access_.projects_of(ci), std::vector<std::string>{"prj-a"});
  for (const std::string project : {"b", "default", "prj-b", "nowhere"})
    EXPECT_EQ(error_of([&] { access_.in_project(ci, project); }),
              "not_found: there is no project '" + project + "' that 'ci' may use");
  access_.require_everywhere(admin_of_a, Permission::project_write);
  EXPECT_EQ(error_of([&] { access_.require_everywhere(ci, Permission::volume_create); }),
            "denied: 'ci' lacks the permission volume_create: its roles on all projects are none, expected one of "
            "admin, editor");
}

TEST_F(AccessTest, RenewsTheAdminsTokenAndBelievesTheLostOneNoMore) {
  const std::string renewed = access_.renew_admin_token();
  EXPECT_EQ(access_.authenticate(renewed).subject_id, admin_.subject_id);
  EXPECT_FALSE(access_.find_caller(admin_token_));
  run("DELETE FROM token");
  run("DELETE FROM role_grant");
  run("DELETE FROM subject");
  EXPECT_EQ(error_of([&] { access_.renew_admin_token(); }),
            "not_found: there is no subject 'admin' yet: it is made at the first start");
}

TEST_F(AccessTest, KeepsOnlyTheHashOfATokensSecret) {
  const std::string secret = admin_token_.substr(admin_token_.rfind('_') + 1);
  database_->read([&](Transaction& transaction) {
    const auto row = transaction.find<std::string>("SELECT id || name || secret_hash FROM token");
    EXPECT_EQ(row->find(secret), std::string::npos);
    EXPECT_NE(row->find(Digest::of(secret).hex()), std::string::npos);
  });
}

TEST_F(AccessTest, BelievesNoTokenThatIsMissingOrMalformedOrUnknown) {
  const std::string form = "denied: no valid token: expected the form volary_ID_SECRET";
  EXPECT_EQ(error_believing(""), "denied: no valid token: expected the header 'Authorization: Bearer TOKEN'");
  for (const std::string_view text : {"x", "volary_", "volary_a", "volary__b", "volary_a_", "hf_abc_def"})
    EXPECT_EQ(error_believing(text), form) << text;
  EXPECT_EQ(error_believing("volary_a_" + std::string(10'000, 'x')), form);
  EXPECT_EQ(error_believing("volary_0123456789abcdef_00"), "denied: no valid token: this one is not known");
  EXPECT_EQ(error_believing(admin_token_ + "0"), "denied: no valid token: this one is not known");
  std::string changed = admin_token_;
  changed.back() = changed.back() == '0' ? '1' : '0';
  EXPECT_EQ(error_believing(changed), "denied: no valid token: this one is not known");
  EXPECT_EQ(access_.find_caller(changed), std::nullopt);
  EXPECT_TRUE(access_.find_caller(admin_token_));
}

TEST_F(AccessTest, BelievesATokenUntilTheSecondItExpires) {
  const auto made = access_.create_token(admin_, {"ci", "viewer", {}, 60});
  EXPECT_EQ(made.record.expires_at, clock_.now().plus_seconds(60));
  clock_.set(Time{clock_.now().plus_seconds(60).micros - 1});
  EXPECT_EQ(access_.authenticate(made.token).name, "ci");
  clock_.set(Time{clock_.now().micros + 1});
  EXPECT_EQ(error_believing(made.token), "denied: no valid token: this one expired at 2026-11-20T12:01:00.000000Z");
}

TEST_F(AccessTest, BelievesNoTokenThatWasRevokedOrWhoseSubjectIsDisabled) {
  const std::string ci = token_of("ci", "viewer"), other = token_of("other", "viewer");
  EXPECT_EQ(access_.revoke_token(admin_, "ci").revoked_at, clock_.now());
  EXPECT_EQ(error_believing(ci), "denied: no valid token: this one was revoked at 2026-11-20T12:00:00.000000Z");
  run("UPDATE subject SET disabled_at = 1 WHERE name = 'other'");
  EXPECT_EQ(error_believing(other), "denied: no valid token: its subject was disabled at 1970-01-01T00:00:00.000001Z");
}

TEST_F(AccessTest, PermitsExactlyWhatTheRolePermits) {
  for (const Role& role : roles()) {
    const Caller caller = access_.authenticate(token_of("as-" + std::string(role.name()), std::string(role.name())));
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<Permission>>([&](auto one) {
      EXPECT_EQ(error_of([&] { access_.require(caller, one.value); }).starts_with("denied: "), !role.permits(one.value))
          << role.name() << " and " << one.name;
    });
  }
}

TEST_F(AccessTest, TellsWhatIsLackingAndWhichRolesWouldDo) {
  const Caller viewer = access_.authenticate(token_of("ci", "viewer"));
  EXPECT_EQ(error_of([&] { access_.require(viewer, Permission::volume_create); }),
            "denied: 'ci' lacks the permission volume_create: its roles here are viewer, "
            "expected one of admin, editor");
}

TEST_F(AccessTest, DeniesWhoHasNoGrantOrOneOfARoleOrScopeThatDoesNotHold) {
  const Caller ci = access_.authenticate(token_of("ci", "admin"));
  const auto answer = [&] { return error_of([&] { access_.require(ci, Permission::volume_read); }); };
  EXPECT_EQ(answer(), "nothing was thrown");
  run("UPDATE role_grant SET scope = 'prj-other' WHERE scope_kind = 'project'");
  EXPECT_TRUE(answer().starts_with("denied: 'ci' lacks the permission volume_read: its roles here are none"));
  run("UPDATE role_grant SET scope = 'prj-default', role = 'emperor' WHERE scope_kind = 'project'");
  EXPECT_TRUE(answer().starts_with("denied: 'ci' lacks the permission volume_read: its roles here are emperor"));
  run("DELETE FROM role_grant WHERE scope_kind = 'project'");
  EXPECT_TRUE(answer().starts_with("denied: "));
  EXPECT_EQ(error_of([&] { access_.require(ci, Permission::everyone); }), "nothing was thrown");
  EXPECT_EQ(error_of([&] { access_.require(Caller(), Permission::everyone); }),
            "denied: no valid token: nobody is known to ask");
  EXPECT_EQ(error_of([&] { access_.require(Caller(), Permission::public_); }), "nothing was thrown");
}

TEST_F(AccessTest, LetsAGrantOfTheTenantHoldInItsProjectsAndNotElsewhere) {
  Caller caller = admin_;
  caller.project = "prj-later";
  EXPECT_EQ(error_of([&] { access_.require(caller, Permission::audit_read); }), "nothing was thrown");
  caller.tenant = "ten-other";
  EXPECT_TRUE(error_of([&] { access_.require(caller, Permission::audit_read); }).starts_with("denied: "));
}

TEST_F(AccessTest, ListsTokensWithoutTheirSecrets) {
  const std::string ci = token_of("ci", "editor");
  const auto tokens = access_.list_tokens(admin_);
  ASSERT_EQ(tokens.size(), 2u);
  const Token& token = tokens[0].name == "ci" ? tokens[0] : tokens[1];
  EXPECT_EQ(token.subject, "ci");
  EXPECT_EQ(token.kind, SubjectKind::service);
  EXPECT_EQ(token.roles, std::vector<std::string>{"editor"});
  EXPECT_EQ(print_json(to_json(tokens)).find(ci.substr(ci.rfind('_') + 1)), std::string::npos);
}

TEST_F(AccessTest, GivesASubjectOneMoreToken) {
  const std::string first = token_of("ci", "viewer");
  const auto second = access_.create_token(admin_, {"ci-2", {}, "ci", {}});
  access_.revoke_token(admin_, "ci");
  EXPECT_EQ(access_.authenticate(second.token).name, "ci");
  EXPECT_EQ(second.record.roles, std::vector<std::string>{"viewer"});
  EXPECT_FALSE(access_.find_caller(first));
}

TEST_F(AccessTest, RefusesATokenThatIsNotWellAskedFor) {
  token_of("ci", "viewer");
  const auto error = [&](const NewToken& wanted) { return error_of([&] { access_.create_token(admin_, wanted); }); };
  EXPECT_EQ(error({"a", {}, {}, {}}), "invalid: token 'a' has neither role and subject: expected one of them");
  EXPECT_EQ(error({"a", "viewer", "ci", {}}), "invalid: token 'a' has both role and subject: expected one of them");
  EXPECT_EQ(error({"a", "king", {}, {}}), "invalid: 'king' is no role: expected one of admin, editor, viewer");
  EXPECT_EQ(error({"a", {}, "nobody", {}}), "not_found: there is no subject 'nobody'");
  EXPECT_EQ(error({"a", "viewer", {}, 0}), "invalid: token 'a' would expire after 0 seconds: expected 1 to 316224000");
  EXPECT_TRUE(error({"A b", "viewer", {}, {}}).starts_with("invalid: 'A b' is no name for a token"));
  EXPECT_EQ(error({"ci", "viewer", {}, {}}),
            "exists: there is a token 'ci' already: revoke it, or choose another name");
  EXPECT_EQ(error_of([&] { access_.revoke_token(admin_, "nothing"); }), "not_found: there is no token 'nothing'");
}

TEST_F(AccessTest, LetsNobodyGiveOrTakeMoreThanHeMay) {
  const Caller editor = access_.authenticate(token_of("ed", "editor"));
  EXPECT_EQ(error_of([&] { access_.create_token(editor, {"boss", "admin", {}, {}}); }),
            "denied: 'ed' lacks the permission sharing_create: nobody gives a role of more than he may himself");
  EXPECT_TRUE(error_of([&] { access_.create_token(editor, {"boss", {}, "admin", {}}); }).starts_with("denied: "));
  EXPECT_TRUE(error_of([&] { access_.revoke_token(editor, "admin"); }).starts_with("denied: "));
  EXPECT_TRUE(error_of([&] { access_.create_subject(editor, SubjectKind::user, "ann", "admin"); })
                  .starts_with("denied: "));
  EXPECT_TRUE(access_.find_caller(admin_token_));
  EXPECT_EQ(access_.create_token(editor, {"reader", "viewer", {}, {}}).record.subject, "reader");
  EXPECT_TRUE(access_.create_subject(editor, SubjectKind::user, "ann", "viewer").starts_with("sub-"));
  EXPECT_TRUE(error_of([&] { access_.create_subject(editor, SubjectKind::user, "ann", "viewer"); })
                  .starts_with("exists: there is a subject 'ann' already"));
}

TEST_F(AccessTest, SeesNothingOfAnotherTenant) {
  token_of("ci", "viewer");
  Caller stranger = admin_;
  stranger.tenant = "ten-other";
  EXPECT_TRUE(access_.list_tokens(stranger).empty());
  EXPECT_TRUE(error_of([&] { access_.revoke_token(stranger, "ci"); }).starts_with("not_found: "));
}

}  // namespace
}  // namespace volary
