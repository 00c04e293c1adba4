// net/curl_library.cc: libcurl by its name, as net/curl_library.h says.
#include "net/curl_library.h"

#include "core/error.h"
#include "core/late_library.h"

namespace volary {
namespace {

CurlLibrary load() {
  const LateLibrary library("libcurl.so.4", "libcurl4");
  CurlLibrary functions{};
  library.find(functions.easy_cleanup, "curl_easy_cleanup");
  library.find(functions.easy_getinfo, "curl_easy_getinfo");
  library.find(functions.easy_init, "curl_easy_init");
  library.find(functions.easy_perform, "curl_easy_perform");
  library.find(functions.easy_recv, "curl_easy_recv");
  library.find(functions.easy_reset, "curl_easy_reset");
  library.find(functions.easy_send, "curl_easy_send");
  library.find(functions.easy_setopt, "curl_easy_setopt");
  library.find(functions.easy_strerror, "curl_easy_strerror");
  library.find(functions.multi_add_handle, "curl_multi_add_handle");
  library.find(functions.multi_cleanup, "curl_multi_cleanup");
  library.find(functions.multi_info_read, "curl_multi_info_read");
  library.find(functions.multi_init, "curl_multi_init");
  library.find(functions.multi_perform, "curl_multi_perform");
  library.find(functions.multi_poll, "curl_multi_poll");
  library.find(functions.multi_remove_handle, "curl_multi_remove_handle");
  library.find(functions.multi_strerror, "curl_multi_strerror");
  library.find(functions.multi_wakeup, "curl_multi_wakeup");
  library.find(functions.slist_append, "curl_slist_append");
  library.find(functions.slist_free_all, "curl_slist_free_all");
  decltype(&curl_global_init) start = nullptr;
  library.find(start, "curl_global_init");
  const CURLcode started = start(CURL_GLOBAL_DEFAULT);  // Not by two threads at once, which a static sees to.
  if (started != CURLE_OK) throw Error(Errc::internal, "libcurl does not start: {}", functions.easy_strerror(started));
  return functions;
}

}  // namespace

const CurlLibrary& curl() {
  static const CurlLibrary loaded = load();
  return loaded;
}

}  // namespace volary
