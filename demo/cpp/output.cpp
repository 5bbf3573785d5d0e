#include "output.h"

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace fs = std::filesystem;

const std::string kRowsBegin = "[\n {\"file\": ";

namespace {

const std::string kComment = "\xff\xd8\xff\xfe" + std::string(1, '\0') + "\x08otadet";

bool is_own(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string head(kComment.size(), '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  return head == kComment || head == kRowsBegin.substr(0, kComment.size()) || head == "[\n\n]\n";
}

std::string escaped(const std::string& text, const char* form) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 32 && byte != 127) {
      result += c;
      continue;
    }
    char code[8];
    std::snprintf(code, sizeof code, form, byte);
    result += code;
  }
  return result;
}

}  // namespace

void check_outputs(const std::vector<fs::path>& targets, const std::vector<fs::path>& inputs) {
  for (const fs::path& target : targets) {
    const auto status = fs::symlink_status(target);
    if (!fs::exists(status)) continue;
    for (const fs::path& input : inputs)
      if (fs::exists(target) && fs::equivalent(target, input))
        throw std::runtime_error(target.string() + ": is an input; name another --output");
    if (!fs::is_regular_file(status) || !is_own(target))
      throw std::runtime_error(target.string() +
                               ": exists, and is not of this program; name another --output");
  }
}

void write_file(const fs::path& target, const std::string& bytes) {
  const fs::path part = target.parent_path() / ".otadet-detect.part";
  std::ofstream file(part, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code failed;
  if (file) fs::rename(part, target, failed);
  if (!file || failed) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw std::runtime_error(target.string() + ": could not be written");
  }
}

std::string marked_jpeg(const std::vector<unsigned char>& jpeg) {
  return kComment + std::string(jpeg.begin() + 2, jpeg.end());  // after the first marker
}

std::string one_line(const std::string& text) { return escaped(text, "\\x%02x"); }

std::string quoted(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    if (c == '"' || c == '\\') plain += '\\';
    plain += c;
  }
  return '"' + escaped(plain, "\\u%04x") + '"';
}
