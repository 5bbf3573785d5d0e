// Files that the program writes: new, or its own of an earlier run, and never an input.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

// Throws std::runtime_error where a target is an input, by whatever path, or not this program's.
void check_outputs(const std::vector<std::filesystem::path>& targets,
                   const std::vector<std::filesystem::path>& inputs);

// Writes a file whole or not at all; throws std::runtime_error, as on a full disk.
void write_file(const std::filesystem::path& target, const std::string& bytes);

// The bytes of a JPEG with the comment by which the program knows it again.
std::string marked_jpeg(const std::vector<unsigned char>& jpeg);

// How detections.json begins; an empty list is written as "[\n\n]\n".
extern const std::string kRowsBegin;

// A name with its control characters as escapes.
std::string one_line(const std::string& text);

// The same as a string of JSON.
std::string quoted(const std::string& text);
