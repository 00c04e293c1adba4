// mount/erofs_format.h: the records of an EROFS image, as far as Volary writes them.
//
// Source: Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h. Everything is little-endian; blocks
// have 4096 bytes; an inode lies at any multiple of 32 bytes and its number (nid) is that multiple.
//
//   image     = 1024 zeros, super block, *( inode / block )
//   inode     = compact / extended, [ xattrs ], [ inline tail / chunk map ]
//   xattrs    = header, *( entry, name without its prefix, value, zeros up to a multiple of 4 )
//   directory = *block, tail          each block = *dirent, *name; names sorted, "." and ".." among them
//
// The first dirent's name offset tells how many dirents a block has. The tail (what is left of the last block) lies
// behind the inode if both fit into one block. Chunk map entries of all ones are holes: of a plain image's files,
// which have no bytes of their own. Those of a packed image are plain or inline.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace volary::erofs {

static_assert(std::endian::native == std::endian::little, "the records below are written as they lie in memory");

constexpr uint64_t block_bytes = 4096;
constexpr uint64_t slot_bytes = 32;  // Inodes are counted and aligned by this.
constexpr uint64_t super_block_at = 1024;
constexpr uint32_t magic = 0xE0F5E1E2;
constexpr uint32_t compat_mtime = 0x2;           // Times are modification times.
constexpr uint32_t incompat_chunked_file = 0x4;  // Files may be made of chunks.
constexpr uint32_t hole = 0xFFFFFFFF;
constexpr uint64_t root_nid_max = 0xFFFF;

enum class Layout : uint16_t { plain = 0, tail_inline = 2, chunks = 4 };
enum class FileType : uint8_t { regular = 1, directory = 2, character_device = 3, symlink = 7 };

struct SuperBlock {
  uint32_t magic_number = magic;
  uint32_t checksum = 0;
  uint32_t feature_compat = 0;
  uint8_t block_bits = 12;
  uint8_t extension_slots = 0;
  uint16_t root_nid = 0;
  uint64_t inodes = 0;
  uint64_t build_time = 0;  // Of all compact inodes.
  uint32_t build_time_nsec = 0;
  uint32_t blocks = 0;
  uint32_t meta_block = 0;   // Where counting of inodes begins: at the start of the image.
  uint32_t xattr_block = 0;  // Shared xattrs: we have none.
  std::array<uint8_t, 16> uuid{};
  std::array<char, 16> volume_name{};
  uint32_t feature_incompat = 0;
  uint16_t compression = 0;
  uint16_t extra_devices = 0;
  uint16_t device_table = 0;
  uint8_t directory_block_bits = 0;
  uint8_t xattr_prefixes = 0;
  uint32_t xattr_prefix_start = 0;
  uint64_t packed_nid = 0;
  uint8_t xattr_filter = 0;
  std::array<uint8_t, 23> reserved{};
};
static_assert(sizeof(SuperBlock) == 128);

struct CompactInode {
  uint16_t format = 0;  // Bit 0: extended; bits 1 to 3: the layout.
  uint16_t xattr_count = 0;
  uint16_t mode = 0;
  uint16_t links = 0;
  uint32_t size = 0;
  uint32_t reserved = 0;
  uint32_t content = 0;  // plain: its first block; chunks: the bits of the chunk size above those of a block.
                         // Of a device: its number.
  uint32_t number = 0;   // For programs with 32-bit inode numbers.
  uint16_t uid = 0;
  uint16_t gid = 0;
  uint32_t reserved2 = 0;
};
static_assert(sizeof(CompactInode) == 32);

struct ExtendedInode {
  uint16_t format = 0;
  uint16_t xattr_count = 0;
  uint16_t mode = 0;
  uint16_t reserved = 0;
  uint64_t size = 0;
  uint32_t content = 0;
  uint32_t number = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t mtime = 0;
  uint32_t mtime_nsec = 0;
  uint32_t links = 0;
  std::array<uint8_t, 16> reserved2{};
};
static_assert(sizeof(ExtendedInode) == 64);

#pragma pack(push, 1)
struct Dirent {
  uint64_t nid = 0;
  uint16_t name_at = 0;  // From the start of the block.
  uint8_t type = 0;
  uint8_t reserved = 0;
};
#pragma pack(pop)
static_assert(sizeof(Dirent) == 12);

struct XattrHeader {
  uint32_t name_filter = 0;
  uint8_t shared_count = 0;
  std::array<uint8_t, 7> reserved{};
};
static_assert(sizeof(XattrHeader) == 12);

constexpr uint8_t xattr_trusted = 4;  // The prefix "trusted."
struct XattrEntry {
  uint8_t name_bytes = 0;
  uint8_t prefix = 0;
  uint16_t value_bytes = 0;
};
static_assert(sizeof(XattrEntry) == 4);

}  // namespace volary::erofs
