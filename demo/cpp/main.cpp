// detect MODEL.onnx PICTURE_OR_FOLDER [--output FOLDER] [--conf SCORE] [--threads N]
//
// Draws what an ONNX file of otadet finds, and writes it to FOLDER/detections.json.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "detector.h"
#include "output.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* kUsage =
    "usage: detect MODEL.onnx PICTURE_OR_FOLDER [--output FOLDER] [--conf SCORE] [--threads N]";

struct Arguments {
  std::string model;
  fs::path path, output = "detected";
  std::optional<float> conf;  // the file's where none is given
  int threads = 0;
};

Arguments parsed(int argc, char** argv) {
  Arguments result;
  std::vector<std::string> places;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      places.push_back(word);
      continue;
    }
    if (i + 1 == argc) throw std::runtime_error(word + ": expected a value; " + kUsage);
    const std::string value = argv[++i];
    try {
      if (word == "--output") result.output = value;
      else if (word == "--conf") result.conf = std::stof(value);
      else if (word == "--threads") result.threads = std::stoi(value);
      else throw std::runtime_error(word + ": no such option; " + kUsage);
    } catch (const std::logic_error&) {  // of stof and stoi
      throw std::runtime_error(word + " " + value + ": expected a number");
    }
  }
  if (places.size() != 2) throw std::runtime_error(kUsage);
  result.model = places[0];
  result.path = places[1];
  return result;
}

std::vector<fs::path> images(const fs::path& path) {
  static const std::set<std::string> endings{".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"};
  if (fs::is_regular_file(path)) return {path};
  if (!fs::is_directory(path)) throw std::runtime_error(path.string() + ": no such file or folder");
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path)) {
    std::string ending = entry.path().extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (endings.count(ending)) found.push_back(entry.path());
  }
  if (found.empty()) throw std::runtime_error(path.string() + ": no image there");
  std::sort(found.begin(), found.end());
  return found;
}

void draw(cv::Mat& image, const Detection& found, const std::string& name) {
  const int side = std::min(image.rows, image.cols);
  const int width = std::max(1, side / 350);
  const double scale = std::max(0.35, side / 1100.0);
  cv::Mat color(1, 1, CV_8UC3, cv::Scalar(std::fmod(4 + found.label * 111.2, 180.0), 217, 242));
  cv::cvtColor(color, color, cv::COLOR_HSV2BGR);
  const cv::Scalar paint(color.at<cv::Vec3b>(0));
  const cv::Rect box(found.box);
  cv::rectangle(image, box, paint, width, cv::LINE_AA);
  std::ostringstream text;
  text << one_line(name) << ' ' << std::fixed << std::setprecision(2) << found.score;
  int base = 0;
  const cv::Size size = cv::getTextSize(text.str(), cv::FONT_HERSHEY_SIMPLEX, scale, 1, &base);
  const int x = std::max(0, std::min(box.x, image.cols - size.width));
  const int y = std::max(box.y, size.height + base);  // inside, even where the box touches the top
  cv::rectangle(image, {x, y - size.height - base}, {x + size.width, y}, paint, cv::FILLED);
  const bool light = 0.1 * paint[0] + 0.6 * paint[1] + 0.3 * paint[2] > 140;
  cv::putText(image, text.str(), {x, y - base / 2 - 1}, cv::FONT_HERSHEY_SIMPLEX, scale,
              light ? cv::Scalar::all(0) : cv::Scalar::all(255), 1, cv::LINE_AA);
}

void run(const Arguments& given) {
  Detector detector(given.model, given.threads);
  const float conf = given.conf.value_or(detector.about().default_score);
  std::cout << "score threshold " << conf << "\n";
  const auto paths = images(given.path);
  std::map<std::string, int> stems;
  for (const fs::path& path : paths) {
    ++stems[path.stem().string()];
    ++stems[path.filename().string()];  // a.jpg.png beside a.jpg
  }
  std::vector<fs::path> targets, inputs = paths;
  for (const fs::path& path : paths) {
    const fs::path name = stems[path.stem().string()] == 1 ? path.stem() : path.filename();
    targets.push_back(given.output / (name.string() + ".jpg"));
  }
  const fs::path table = given.output / "detections.json";
  targets.push_back(table);
  inputs.push_back(given.model);
  check_outputs(targets, inputs);
  std::error_code failed;
  fs::create_directories(given.output, failed);
  if (failed) throw std::runtime_error(given.output.string() + ": cannot be a folder");
  std::ostringstream rows;
  rows << std::setprecision(9);
  for (size_t index = 0; index < paths.size(); ++index) {
    const fs::path &path = paths[index], &target = targets[index];
    cv::Mat image = cv::imread(path.string(), cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
    if (image.empty()) throw std::runtime_error(path.string() + ": not an image that OpenCV reads");
    const auto begin = std::chrono::steady_clock::now();
    std::vector<Detection> found = detector(image);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    found.erase(std::remove_if(found.begin(), found.end(),
                               [&](const Detection& one) { return one.score < conf; }),
                found.end());
    for (const Detection& one : found) {
      const std::string& name = detector.about().class_names.at(static_cast<size_t>(one.label));
      const cv::Rect2f& b = one.box;
      rows << (rows.tellp() > 0 ? ",\n {\"file\": " : kRowsBegin) << quoted(path.filename().string())
           << ", \"class\": " << quoted(name) << ", \"score\": " << one.score << ", \"box\": ["
           << b.x << ", " << b.y << ", " << b.x + b.width << ", " << b.y + b.height << "]";
      const std::vector<int>& ids = detector.about().category_ids;
      if (!ids.empty()) rows << ", \"category_id\": " << ids.at(static_cast<size_t>(one.label));
      rows << "}";
    }
    for (auto one = found.rbegin(); one != found.rend(); ++one)  // the best on top
      draw(image, *one, detector.about().class_names[static_cast<size_t>(one->label)]);
    std::vector<unsigned char> jpeg;
    if (!cv::imencode(".jpg", image, jpeg))
      throw std::runtime_error(target.string() + ": could not be encoded");
    write_file(target, marked_jpeg(jpeg));
    std::cout << one_line(path.string()) << ": " << found.size() << " detections in " << std::fixed
              << std::setprecision(1) << took.count() << " ms -> " << one_line(target.string()) << "\n";
  }
  write_file(table, rows.tellp() > 0 ? rows.str() + "\n]\n" : "[\n\n]\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parsed(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "error: " << one_line(error.what()) << "\n";
    return 2;
  }
  return 0;
}
