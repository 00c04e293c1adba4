// api/router_test.cc: from requests to answers: paths, methods, queries, bodies, who may, errors, the record.
#include "api/router.h"

#include <gtest/gtest.h>

#include "api/pattern.h"
#include "api/sample_routes_test.h"
#include "core/error_table.h"

namespace volary {
namespace {

class RouterTest : public testing::Test {
 protected:
  // `target` is a path of plain segments with a query of plain pairs.
  static Request request(const std::string& method, const std::string& target, const std::string& token = "ada") {
    Request made;
    made.method = method;
    made.id = "req-1";
    made.path = target.substr(0, target.find('?'));
    for (size_t at = 1; at < made.path.size() + 1 && made.path.size() > 1;) {
      const size_t end = std::min(made.path.find('/', at), made.path.size());
      made.segments.push_back(made.path.substr(at, end - at));
      at = end + 1;
    }
    std::string query = target.size() > made.path.size() ? target.substr(made.path.size() + 1) + "&" : "";
    for (size_t end; (end = query.find('&')) != std::string::npos; query.erase(0, end + 1)) {
      const size_t equals = query.find('=');
      made.query.emplace(query.substr(0, equals), query.substr(equals + 1, end - equals - 1));
    }
    if (!token.empty()) made.headers["authorization"] = "Bearer " + token;
    return made;
  }
  Response ask(const std::string& method, const std::string& target, const std::string& body = "",
               const std::string& token = "ada") {
    Request made = request(method, target, token);
    made.body = body;
    return router_.answer(made);
  }
  // "404 not_found: the detail" of a problem, "200 body" otherwise.
  static std::string line_of(const Response& response) {
    if (response.content_type != "application/problem+json")
      return std::to_string(response.status) + " " + response.body.substr(0, response.body.find('\n'));
    const auto problem = from_json<Problem>(parse_json(response.body, "the answer"), "problem");
    EXPECT_EQ(problem.status, response.status);
    EXPECT_EQ(problem.request_id, "req-1");
    EXPECT_EQ(problem.type, "urn:volary:error:" + problem.code);
    return fmt::format("{} {}: {}", problem.status, problem.code, problem.detail);
  }
  static std::string header_of(const Response& response, const std::string& wanted) {
    for (const auto& [name, value] : response.headers)
      if (name == wanted) return value;
    return "";
  }

  RecordingGate gate_;
  std::vector<std::string> log_;
  Router router_{sample_routes(), gate_, [this](std::string_view line) { log_.emplace_back(line); }};
};

TEST_F(RouterTest, FindsRoutesByPathAndPrefersTheMoreExact) {
  EXPECT_EQ(line_of(ask("GET", "/")), "200 front");
  EXPECT_EQ(line_of(ask("GET", "/api/v1/volumes/v/files/about")), "200 about");
  EXPECT_EQ(line_of(ask("GET", "/api/v1/volumes/v/files/a/b/c")), "200 v:a/b/c");
  EXPECT_EQ(line_of(ask("HEAD", "/api/v1/volumes/v/files/about/x")), "200 v:about/x");
  EXPECT_EQ(line_of(ask("PUT", "/api/v1/volumes/v/files/about", "12345")), "200 5");
}

TEST_F(RouterTest, Answers404ToAnUnknownPath) {
  EXPECT_EQ(line_of(ask("GET", "/api/v1/volume")), "404 not_found: there is no '/api/v1/volume' here");
  EXPECT_EQ(line_of(ask("GET", "/api/v1/volumes/v/files")),
            "404 not_found: there is no '/api/v1/volumes/v/files' here");
  EXPECT_EQ(line_of(ask("GET", "/api/v1/volumes/")), "404 not_found: there is no '/api/v1/volumes/' here");
}

TEST_F(RouterTest, Answers405WithTheMethodsThereAre) {
  const Response response = ask("PATCH", "/api/v1/volumes/v");
  EXPECT_EQ(line_of(response), "405 invalid: '/api/v1/volumes/v' cannot be asked by PATCH: expected GET, HEAD, DELETE");
  EXPECT_EQ(header_of(response, "allow"), "GET, HEAD, DELETE");
  EXPECT_EQ(ask("BREW", "/api/v1/volumes/v").status, 405);
}

TEST_F(RouterTest, ReadsTheBodyStrictly) {
  const Response made = ask("POST", "/api/v1/volumes", R"({"name": "v", "tags": ["a"]})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(header_of(made, "location"), "/volumes/v");
  const auto volume = from_json<Volume>(parse_json(made.body, "the answer"), "volume");
  EXPECT_EQ(volume.name, "v");
  EXPECT_EQ(volume.created_by, "ada");
  EXPECT_EQ(line_of(ask("POST", "/api/v1/volumes", R"({"name": 7})")),
            "400 invalid: 'body.name' is an integer: expected a string");
  EXPECT_TRUE(line_of(ask("POST", "/api/v1/volumes", "{}")).starts_with("400 invalid: 'body.name'"));
  EXPECT_EQ(line_of(ask("POST", "/api/v1/volumes", "")), line_of(ask("POST", "/api/v1/volumes", "{}")));
  EXPECT_TRUE(line_of(ask("POST", "/api/v1/volumes", "{")).starts_with("400 invalid: the request body is not JSON"));
  EXPECT_TRUE(line_of(ask("POST", "/api/v1/volumes", R"({"name": "v", "nmae": 1})")).starts_with("400 invalid: "));
}

TEST_F(RouterTest, RefusesABodyThatSaysItIsNotJson) {
  Request form = request("POST", "/api/v1/volumes");
  form.body = R"({"name": "v"})";
  form.headers["content-type"] = "text/plain";
  EXPECT_EQ(line_of(router_.answer(form)), "400 invalid: the request body is 'text/plain': expected application/json");
  form.headers["content-type"] = "application/json; charset=utf-8";
  EXPECT_EQ(router_.answer(form).status, 201);
}

TEST_F(RouterTest, Answers204WhereThereIsNothingToSay) {
  const Response response = ask("DELETE", "/api/v1/volumes/v");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
}

TEST_F(RouterTest, ChecksTheQueryAgainstWhatTheRouteDeclares) {
  const auto page = [&](const std::string& query) { return ask("GET", "/api/v1/volumes" + query); };
  const auto read = from_json<Page<Volume>>(
      parse_json(page("?dataType=model&tag=a&tag=b&deleted=true&cursor=c&limit=5").body, "the answer"), "page");
  EXPECT_EQ(read.items.at(0).name, "model+deleted");
  EXPECT_EQ(read.items.at(0).tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(read.next_cursor, "c5");
  EXPECT_EQ(line_of(page("?datatype=model")),
            "400 invalid: there is no query parameter 'datatype' here: expected one of dataType, tag, deleted, limit, "
            "cursor");
  EXPECT_EQ(line_of(page("?dataType=x")),
            "400 invalid: the query parameter 'dataType' is 'x': expected one of model, dataset");
  EXPECT_EQ(line_of(page("?deleted=maybe")),
            "400 invalid: the query parameter 'deleted' is 'maybe': expected true or false");
  EXPECT_EQ(line_of(page("?limit=-1")), "400 invalid: the query parameter 'limit' is '-1': expected a number");
  EXPECT_EQ(line_of(page("?limit=0")), "400 invalid: the query parameter 'limit' is 0: expected 1 to 1000");
  EXPECT_EQ(line_of(page("?limit=1001")), "400 invalid: the query parameter 'limit' is 1001: expected 1 to 1000");
  EXPECT_EQ(line_of(page("?cursor=a&cursor=b")),
            "400 invalid: the query parameter 'cursor' is given 2 times: expected once");
  EXPECT_EQ(line_of(ask("GET", "/api/v1/events")),
            "400 invalid: the query parameter 'since' is missing: expected a number");
  EXPECT_EQ(line_of(ask("DELETE", "/api/v1/volumes/v?force=true")),
            "400 invalid: there is no query parameter 'force' here: expected none");
}

// --- who may

TEST_F(RouterTest, Answers401WithoutAValidTokenAnd403WithoutTheGrant) {
  for (const std::string token : {"", "eve"}) {
    const Response response = ask("GET", "/api/v1/volumes", "", token);
    EXPECT_EQ(line_of(response),
              "401 denied: no valid token: expected the header 'Authorization: Bearer TOKEN'");
    EXPECT_EQ(header_of(response, "www-authenticate"), "Bearer");
  }
  EXPECT_EQ(line_of(ask("DELETE", "/api/v1/volumes/v", "", "bob")), "403 denied: bob may not volume_delete");
  EXPECT_EQ(ask("GET", "/api/v1/volumes", "", "bob").status, 200);
  EXPECT_EQ(line_of(ask("GET", "/", "", "")), "200 front");
}

TEST_F(RouterTest, AsksWhoBeforeItLooksAtQueryOrBody) {
  EXPECT_EQ(ask("GET", "/api/v1/volumes?wrong=1", "", "").status, 401);
  EXPECT_EQ(ask("POST", "/api/v1/volumes", "{", "bob").status, 403);
}

TEST_F(RouterTest, RecordsEveryChangeAndEveryRefusalAndNoReading) {
  ask("GET", "/api/v1/volumes");
  ask("GET", "/api/v1/volumes/gone");
  ask("POST", "/api/v1/volumes", R"({"name": "v"})");
  ask("POST", "/api/v1/volumes", "{");
  ask("DELETE", "/api/v1/volumes/busy");
  ask("DELETE", "/api/v1/volumes/v", "", "bob");
  ask("GET", "/api/v1/volumes", "", "");
  ask("GET", "/api/v1/volumes/mine");
  EXPECT_EQ(gate_.lines, (std::vector<std::string>{
                             "ada create_volume 201 ok",
                             "ada create_volume 400 invalid",
                             "ada delete_volume 409 conflict",
                             "bob delete_volume 403 denied",
                             " list_volumes 401 denied",
                             "ada get_volume 403 denied",
                         }));
}

TEST_F(RouterTest, DoesNotSayThatAllIsWellWhenItCouldNotBeRecorded) {
  gate_.fail_to_record = true;
  const Response response = ask("DELETE", "/api/v1/volumes/v");
  EXPECT_EQ(line_of(response), "503 unavailable: the audit log cannot be written");
  EXPECT_EQ(header_of(response, "retry-after"), "1");
}

// --- errors

TEST_F(RouterTest, TellsAnErrorWithItsTrail) {
  const auto problem = from_json<Problem>(parse_json(ask("GET", "/api/v1/volumes/gone").body, "the answer"), "problem");
  EXPECT_EQ(problem.title, "not found");
  EXPECT_EQ(problem.detail, "there is no volume 'gone'");
  EXPECT_EQ(problem.trail, std::vector<std::string>{"looking"});
  EXPECT_TRUE(log_.empty());
}

TEST_F(RouterTest, GivesEachCodeItsStatus) {
  for (const ErrorRow& row : error_table()) {
    const Response response = problem_response(row.http_status, Error(row.code, "x"), "req-1");
    EXPECT_EQ(line_of(response), fmt::format("{} {}: x", row.http_status, name_of(row.code)));
  }
}

TEST_F(RouterTest, TellsAnUnexpectedExceptionOnlyToTheLog) {
  EXPECT_EQ(line_of(ask("GET", "/api/v1/volumes/broken")),
            "500 internal: something unexpected went wrong; the server's log has it under req-1");
  EXPECT_EQ(log_, std::vector<std::string>{"req-1 GET /api/v1/volumes/broken: unexpected: secret inner thing"});
}

TEST_F(RouterTest, LogsWhyAStreamBrokeOff) {
  const Response response = ask("GET", "/api/v1/events?since=4");
  ASSERT_TRUE(response.stream);
  EXPECT_THROW(response.stream->poll(), Error);
  EXPECT_EQ(log_, std::vector<std::string>{
                      "req-1 GET /api/v1/events: the stream broke off: corrupt: event 4 is damaged"});
}

class Watchful : public RouterTest {
 protected:
  Response follow(const std::string& who = "ada") const { return router_.answer(request("GET", path, who)); }
  static std::string told(const Response& response) {
    std::string all;
    while (all.empty()) all = response.stream->poll().value();
    return all;
  }

  static constexpr const char* path = "/api/v1/events?since=1";
  const Router router_{sample_routes(), gate_, [this](std::string_view line) { log_.emplace_back(line); },
                       std::chrono::milliseconds(0)};
};

TEST_F(Watchful, BreaksAStreamOffWhoseReaderMayNoMore) {
  const Response of_revoked = follow();
  EXPECT_EQ(told(of_revoked), "event: tick\ndata: {}\n\n");
  gate_.knows_nobody = true;
  EXPECT_THROW(told(of_revoked), Error);
  gate_.knows_nobody = false;
  const Response of_refused = follow("bob");
  EXPECT_EQ(told(of_refused), "event: tick\ndata: {}\n\n");
  gate_.permits_nothing = true;
  EXPECT_THROW(told(of_refused), Error);
  const std::string begin = "req-1 GET /api/v1/events: the stream broke off: denied: ";
  EXPECT_EQ(log_, (std::vector<std::string>{begin + "its token is valid no more", begin + "bob may not volume_read"}));
}

TEST_F(Watchful, AsksAboutTheProjectThatTheStreamIsOf) {
  const Response stays = follow();
  gate_.first_project = "q";
  EXPECT_EQ(told(stays), "event: tick\ndata: {}\n\n");
  gate_.permits_nothing_in = "q";
  EXPECT_EQ(told(stays), "event: tick\ndata: {}\n\n");
  gate_.permits_nothing_in = "p";
  EXPECT_THROW(told(stays), Error);
}

TEST_F(Watchful, LetsAStreamGoOnWhileNobodyCanSay) {
  const Response response = follow();
  gate_.is_busy = true;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(told(response), "event: tick\ndata: {}\n\n");
  gate_.is_busy = false;
  gate_.permits_nothing = true;
  EXPECT_THROW(told(response), Error);
}

// --- mistakes in the table

std::string error_of(const std::function<void()>& act) {
  try {
    act();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

Route plain(Method method, const std::string& pattern, const std::string& name) {
  return {method, pattern, Permission::everyone, {.name = name, .summary = "s"}, [](const Call&) {}};
}

TEST_F(RouterTest, AsksForNoGrantWhereEveryoneMay) {
  gate_.permits_nothing = true;
  EXPECT_EQ(Router({plain(Method::get, "/a", "n")}, gate_).answer(request("GET", "/a")).status, 204);
}

TEST(RouteTable, RefusesPatternsThatAreNotWellFormed) {
  EXPECT_EQ(error_of([] { plain(Method::get, "a", "n"); }), "internal: the route 'a' does not start with '/'");
  EXPECT_EQ(error_of([] { plain(Method::get, "/a/", "n"); }), "internal: the route '/a/' ends with '/'");
  EXPECT_EQ(error_of([] { plain(Method::get, "/a/{B}", "n"); }),
            "internal: the route '/a/{B}' has the segment '{B}': expected a word, {name} or {name*}");
  EXPECT_EQ(error_of([] { plain(Method::get, "/{a*}/b", "n"); }), "internal: the route '/{a*}/b' has more after {a*}");
  EXPECT_EQ(error_of([] { plain(Method::get, "/{a}/{a}", "n"); }), "internal: the route '/{a}/{a}' has {a} twice");
  EXPECT_EQ(error_of([] { plain(Method::get, "/a", ""); }), "internal: the route GET /a has no name");
}

TEST(RouteTable, RefusesTwoRoutesOfOneNameOrOnePath) {
  RecordingGate gate;
  EXPECT_EQ(error_of([&] { Router({plain(Method::get, "/a", "n"), plain(Method::get, "/b", "n")}, gate); }),
            "internal: two routes are named n");
  EXPECT_EQ(error_of([&] { Router({plain(Method::get, "/{a}", "n"), plain(Method::get, "/{b}", "m")}, gate); }),
            "internal: two routes answer GET /{b}");
}

TEST(RouteTable, RefusesToReadAQueryParameterThatIsNotDeclared) {
  const Route route = plain(Method::get, "/a", "n");
  const Request request;
  const Call call(request, route, Caller(), {});
  EXPECT_EQ(error_of([&] { call.query("x"); }),
            "internal: the route n does not declare the query parameter 'x' of this kind");
  EXPECT_EQ(error_of([&] { call.path("x"); }), "internal: the route n has no {x}");
}

}  // namespace
}  // namespace volary
