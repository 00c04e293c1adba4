// net/curl_library.h: the functions of libcurl that this folder calls, loaded by the first request that needs
// them. libcurl brings thirty libraries along, which a command that only asks this machine's server never uses.
#pragma once

#include <memory>

#include <curl/curl.h>

namespace volary {

struct CurlLibrary {
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_recv) easy_recv;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_send) easy_send;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_multi_add_handle) multi_add_handle;
  decltype(&curl_multi_cleanup) multi_cleanup;
  decltype(&curl_multi_info_read) multi_info_read;
  decltype(&curl_multi_init) multi_init;
  decltype(&curl_multi_perform) multi_perform;
  decltype(&curl_multi_poll) multi_poll;
  decltype(&curl_multi_remove_handle) multi_remove_handle;
  decltype(&curl_multi_strerror) multi_strerror;
  decltype(&curl_multi_wakeup) multi_wakeup;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

// Loads and starts it, once; any thread. Throws `unavailable` if it cannot be loaded, naming what to install.
const CurlLibrary& curl();

struct FreeEasy {
  void operator()(CURL* easy) const { curl().easy_cleanup(easy); }
};
using CurlEasy = std::unique_ptr<CURL, FreeEasy>;

}  // namespace volary
