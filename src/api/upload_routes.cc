// api/upload_routes.cc: files sent into a volume by many requests, resumed after any of them was cut off.
#include "api/routes.h"

namespace volary {
namespace {

const QueryParameter path_parameter = {
    .name = "path", .description = "Of the file, below the upload's directory", .need = Need::required};

void add_life_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/volumes/{volume}/uploads", Permission::volume_update,
                    {.name = "create_upload",
                     .summary = "Begins an upload; it is the volume's one writer until it ends",
                     .description = "Send files with send_files and send_part, then finish_upload. What was "
                                    "acknowledged need not be sent again: list_uploads finds an upload, "
                                    "list_upload_files says what it has.",
                     .status = 201},
                    [&services](const Call& call, const NewUpload& wanted) {
                      return services.uploads.create(call.caller(), call.path("volume"), wanted);
                    }});
  routes.push_back({Method::get, "/api/v1/uploads", Permission::volume_read,
                    {.name = "list_uploads",
                     .summary = "The open uploads, newest first",
                     .query = {{.name = "volume", .description = "Only those into this volume"}}},
                    [&services](const Call& call) {
                      return Page<Upload>{services.uploads.list(call.caller(), call.query("volume").value_or("")),
                                          std::nullopt};
                    }});
  routes.push_back({Method::get, "/api/v1/uploads/{upload}", Permission::volume_read,
                    {.name = "get_upload", .summary = "One upload"},
                    [&services](const Call& call) {
                      return services.uploads.get(call.caller(), call.path("upload"));
                    }});
  routes.push_back({Method::post, "/api/v1/uploads/{upload}/finish", Permission::volume_update,
                    {.name = "finish_upload",
                     .summary = "Makes the upload's files one version of the volume, merged into its newest",
                     .description = "A file of the same path is replaced; nothing is removed."},
                    [&services](const Call& call, const UploadFinish& wanted) {
                      return services.uploads.finish(call.caller(), call.path("upload"), wanted);
                    }});
  routes.push_back({Method::delete_, "/api/v1/uploads/{upload}", Permission::volume_update,
                    {.name = "abort_upload", .summary = "Ends an upload; nothing of it is left"},
                    [&services](const Call& call) { services.uploads.abort(call.caller(), call.path("upload")); }});
}

void add_file_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/uploads/{upload}/files", Permission::volume_read,
                    {.name = "list_upload_files", .summary = "What has come, by path: this need not be sent again"},
                    [&services](const Call& call) {
                      const PageRequest page = call.page();
                      return page_of(services.uploads.files(call.caller(), call.path("upload"), page.cursor,
                                                            page.limit + 1),
                                     page.limit, [](const UploadFile& file) { return file.path; });
                    }});
  routes.push_back({Method::post, "/api/v1/uploads/{upload}/files", Permission::volume_update,
                    {.name = "send_files",
                     .summary = "Sends small files, links and empty directories, many in one request",
                     .description = "The body, at most 8 MiB, is entries one after the other: a line with a JSON "
                                    "object of path, kind (file, directory, symlink), size, executable, digest "
                                    "(BLAKE3), target; then, of a file, as many bytes as its size says. All of them "
                                    "are durable when this is answered, or none is here.",
                     .body_type = "application/octet-stream"},
                    [&services](const Call& call) {
                      return services.uploads.receive(call.caller(), call.path("upload"), call.request().body);
                    }});
  routes.push_back(
      {Method::put, "/api/v1/uploads/{upload}/parts", Permission::volume_update,
       {.name = "send_part",
        .summary = "Sends one part of a file: 8 MiB, or what is left at its end",
        .description = "Parts come in any order, several at once. What was acknowledged survives the end of the "
                       "server's process; complete_file makes it durable.",
        .query = {path_parameter,
                  {.name = "offset", .description = "Where the part begins: a multiple of partBytes",
                   .need = Need::required, .kind = ParameterKind::number},
                  {.name = "size", .description = "Of the whole file, if that is known",
                   .kind = ParameterKind::number}},
        .body_type = "application/octet-stream"},
       [&services](const Call& call) {
         return services.uploads.receive_part(call.caller(), call.path("upload"), *call.query("path"),
                                              *call.number("offset"), call.number("size"), call.request().body);
       }});
  routes.push_back({Method::post, "/api/v1/uploads/{upload}/completions", Permission::volume_update,
                    {.name = "complete_file",
                     .summary = "Makes the parts of a file one, held against its digest, durably"},
                    [&services](const Call& call, const UploadCompletion& wanted) {
                      return services.uploads.complete(call.caller(), call.path("upload"), wanted);
                    }});
  routes.push_back({Method::delete_, "/api/v1/uploads/{upload}/files", Permission::volume_update,
                    {.name = "forget_upload_file",
                     .summary = "Forgets a file that has come",
                     .query = {path_parameter}},
                    [&services](const Call& call) {
                      services.uploads.forget(call.caller(), call.path("upload"), *call.query("path"));
                    }});
}

}  // namespace

void add_upload_routes(std::vector<Route>& routes, Services& services) {
  add_life_routes(routes, services);
  add_file_routes(routes, services);
}

}  // namespace volary
