#include "detector.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <numeric>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

namespace {

constexpr int kFormat = 1;  // the version of the metadata that this program reads

Ort::Session open(const Ort::Env& env, const std::string& path, int threads) {
  if (!std::filesystem::is_regular_file(path)) throw std::runtime_error(path + ": no such file");
  Ort::SessionOptions options;
  if (threads > 0) options.SetIntraOpNumThreads(threads);
  try {
    return Ort::Session(env, std::filesystem::path(path).c_str(), options);
  } catch (const Ort::Exception& error) {
    const std::string text = error.what();
    throw std::runtime_error(path + ": not an ONNX file that onnxruntime reads: " +
                             text.substr(0, text.find('\n')));
  }
}

// An entry of the metadata. Every one is JSON, which OpenCV reads when it is inside an object.
class Entry {
 public:
  Entry(const std::string& path, const Ort::ModelMetadata& metadata, const char* key) {
    Ort::AllocatorWithDefaultOptions allocator;
    auto text = metadata.LookupCustomMetadataMapAllocated(key, allocator);
    if (!text)
      throw std::runtime_error(path + ": an ONNX file that otadet did not write (no entry '" + key +
                               "' in its metadata); make one with tools/export_onnx.py");
    try {
      storage_.open("{\"value\": " + std::string(text.get()) + "}",
                    cv::FileStorage::READ | cv::FileStorage::MEMORY | cv::FileStorage::FORMAT_JSON);
    } catch (const cv::Exception&) {
      throw std::runtime_error(path + ": metadata, " + key + ": expected JSON");
    }
  }

  cv::FileNode operator*() const { return storage_["value"]; }
  cv::FileNode operator[](const char* key) const { return storage_["value"][key]; }

 private:
  cv::FileStorage storage_;
};

// OpenCV reads what is missing or of another type as zero, nothing or the largest number.
void check(const std::string& path, const About& about) {
  const auto within = [&](const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return;
    throw std::runtime_error(path + ": metadata, " + name + ": expected a number from " +
                             std::to_string(low) + " to " + std::to_string(high));
  };
  within("number of class_names", static_cast<double>(about.class_names.size()), 1, 1e5);
  if (!about.category_ids.empty() && about.category_ids.size() != about.class_names.size())
    throw std::runtime_error(path + ": metadata, category_ids: expected one a class");
  within("number of strides", static_cast<double>(about.strides.size()), 1, 32);
  for (const int stride : about.strides) within("strides", stride, 1, 1024);
  within("input.multiple", about.multiple, 1, 1024);
  within("resize.size", about.first, 1, 1 << 20);
  within("resize.size", about.second, 1, 1 << 20);
  within("pixels of resize.size", static_cast<double>(about.first) * about.second, 1, 1 << 28);
  within("resize.padding", about.padding, 0, 255);
  within("thresholds.score", about.score, 0, 1);
  within("thresholds.default_score", about.default_score, 0, 1);
  within("thresholds.nms", about.nms, 0, 1);
  within("thresholds.max_detections", about.max_detections, 1, 1e6);
  within("thresholds.candidates", about.candidates, 1, 1e6);
  if (about.tiles.size == 0) return;
  within("tiles.size", about.tiles.size, 32, 1 << 20);
  within("tiles.overlap", about.tiles.overlap, 0, (about.tiles.size - 1) / 2);
}

About read(const std::string& path, const Ort::Session& session) {
  const auto metadata = session.GetModelMetadata();
  const auto entry = [&](const char* key) { return Entry(path, metadata, key); };
  const int format = *entry("otadet_export");
  if (format > kFormat)
    throw std::runtime_error(path + ": metadata of version " + std::to_string(format) +
                             "; this program reads up to " + std::to_string(kFormat));
  About about;
  *entry("class_names") >> about.class_names;
  *entry("strides") >> about.strides;
  about.has_nms = static_cast<std::string>(*entry("output")) == "detections";
  Ort::AllocatorWithDefaultOptions allocator;
  if (metadata.LookupCustomMetadataMapAllocated("category_ids", allocator))
    *entry("category_ids") >> about.category_ids;
  // Older files do not say, and mean all.
  const auto labels = metadata.LookupCustomMetadataMapAllocated("point_labels", allocator);
  about.best_label = labels && std::string(labels.get()) == "\"best\"";
  const Entry input = entry("input"), resize = entry("resize"), limits = entry("thresholds");
  about.uint8 = static_cast<std::string>(input["type"]) == "uint8";
  about.rgb = static_cast<std::string>(input["color_order"]) == "RGB";
  about.multiple = input["multiple"];
  about.letterbox = static_cast<std::string>(resize["rule"]) == "letterbox";
  about.first = resize["size"][0];
  about.second = resize["size"][1];
  about.padding = resize["padding"];
  about.score = limits["score"];
  if (!limits["default_score"].empty())  // older files do not say
    about.default_score = limits["default_score"];
  about.nms = limits["nms"];
  about.max_detections = limits["max_detections"];
  about.candidates = limits["candidates"];
  if (metadata.LookupCustomMetadataMapAllocated("tiles", allocator)) {
    const Entry tiles = entry("tiles");
    const int size = tiles["size"];
    about.tiles.size = size ? size : -1;  // 0 is for files without tiles
    about.tiles.overlap = tiles["overlap"];
    about.tiles.whole = static_cast<int>(tiles["whole"]) == 1;
  }
  check(path, about);
  return about;
}

// Planes R, G, B of an image, one after the other, as T.
template <typename T>
std::vector<T> planes(const cv::Mat& image) {
  std::array<cv::Mat, 3> parts;
  cv::split(image, parts.data());
  std::vector<T> values;
  values.reserve(image.total() * 3);
  for (const cv::Mat& part : parts)
    values.insert(values.end(), part.begin<uint8_t>(), part.end<uint8_t>());
  return values;
}

template <typename T>
Ort::Value tensor(std::vector<T>& values, cv::Size size) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  const std::array<int64_t, 4> shape{1, 3, size.height, size.width};
  return Ort::Value::CreateTensor<T>(memory, values.data(), values.size(), shape.data(), 4);
}

using Outputs = std::map<std::string, const Ort::Value*>;

int64_t rows_of(const std::string& path, const Outputs& out) {
  const auto boxes = out.find("boxes");
  if (boxes != out.end() && boxes->second->IsTensor()) {
    const auto shape = boxes->second->GetTensorTypeAndShapeInfo().GetShape();
    if (shape.size() == 3) return shape[1];
  }
  throw std::runtime_error(path + ": expected an output 'boxes' of three dimensions");
}

// The numbers of an output, if it has the type and shape that the metadata promise: what the
// metadata say decides how much is read.
template <typename T>
const T* numbers(const std::string& path, const Outputs& out, const std::string& name,
                 const std::vector<int64_t>& shape) {
  const auto found = out.find(name);
  if (found != out.end() && found->second->IsTensor()) {
    const auto info = found->second->GetTensorTypeAndShapeInfo();
    const bool typed = info.GetElementType() == Ort::TypeToTensorType<T>::type;
    if (typed && info.GetShape() == shape) return found->second->GetTensorData<T>();
  }
  throw std::runtime_error(path + ": output '" + name + "' is missing, or not what its metadata say");
}

cv::Rect2f rectangle(const float* corners) {
  return {cv::Point2f(corners[0], corners[1]), cv::Point2f(corners[2], corners[3])};
}

}  // namespace

Detector::Detector(const std::string& path, int threads)
    : env_(ORT_LOGGING_LEVEL_ERROR, "detect"), session_(open(env_, path, threads)),
      about_(read(path, session_)), path_(path) {
  if (session_.GetInputCount() != 1) throw std::runtime_error(path + ": expected one input");
  Ort::AllocatorWithDefaultOptions allocator;
  input_ = session_.GetInputNameAllocated(0, allocator).get();
  for (size_t i = 0; i < session_.GetOutputCount(); ++i)
    outputs_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get());
}

cv::Mat Detector::resized(const cv::Mat& image) const {
  const double height = image.rows, width = image.cols;
  int h, w, full_h = about_.first, full_w = about_.second;
  if (about_.letterbox) {
    const double factor = std::min(full_h / height, full_w / width);
    h = std::max(1, static_cast<int>(height * factor));
    w = std::max(1, static_cast<int>(width * factor));
  } else {  // the shorter side to `first`, the longer to at most `second`
    const double factor =
        std::min(about_.first / std::min(height, width), about_.second / std::max(height, width));
    full_h = h = std::max(1, static_cast<int>(std::nearbyint(height * factor)));
    full_w = w = std::max(1, static_cast<int>(std::nearbyint(width * factor)));
  }
  cv::Mat small;
  cv::resize(image, small, {w, h}, 0, 0, cv::INTER_LINEAR);
  return small;
}

std::vector<Detection> Detector::operator()(const cv::Mat& image) {
  const cv::Rect all({0, 0}, image.size());
  const TileRule& rule = about_.tiles;
  const std::vector<Tile> tiles = rule.size ? tiles_of(image.size(), rule) : std::vector<Tile>{};
  if (tiles.size() < 2) return look(image, all);
  std::vector<std::vector<Detection>> found;
  for (const Tile& tile : tiles) found.push_back(look(image, tile.box));
  const auto whole = rule.whole ? look(image, all) : std::vector<Detection>{};
  return merge(found, tiles, image.size(), rule.overlap, whole, about_.nms,
               static_cast<size_t>(about_.max_detections));
}

std::vector<Detection> Detector::look(const cv::Mat& image, const cv::Rect& part) {
  const cv::Mat small = resized(image(part));
  const auto up = [&](int side) {
    return (side + about_.multiple - 1) / about_.multiple * about_.multiple;
  };
  const cv::Size size(up(about_.letterbox ? about_.second : small.cols),
                      up(about_.letterbox ? about_.first : small.rows));
  cv::Mat canvas(size, CV_8UC3, cv::Scalar::all(about_.padding));
  small.copyTo(canvas(cv::Rect({0, 0}, small.size())));
  if (about_.rgb) cv::cvtColor(canvas, canvas, cv::COLOR_BGR2RGB);

  std::vector<uint8_t> bytes;
  std::vector<float> floats;
  const Ort::Value given = about_.uint8 ? tensor(bytes = planes<uint8_t>(canvas), size)
                                        : tensor(floats = planes<float>(canvas), size);
  const char* input = input_.c_str();
  std::vector<const char*> names;
  for (const std::string& name : outputs_) names.push_back(name.c_str());
  const auto values =
      session_.Run(Ort::RunOptions{}, &input, &given, 1, names.data(), names.size());
  Outputs out;
  for (size_t i = 0; i < values.size(); ++i) out[outputs_[i]] = &values[i];

  const auto classes = static_cast<int64_t>(about_.class_names.size());
  const int64_t rows = rows_of(path_, out);
  const float* boxes = numbers<float>(path_, out, "boxes", {1, rows, 4});
  std::vector<int64_t> shape{1, rows};
  if (!about_.has_nms) shape.push_back(classes);
  const float* scores = numbers<float>(path_, out, "scores", shape);
  std::vector<Detection> found;
  if (about_.has_nms) {
    const int64_t* labels = numbers<int64_t>(path_, out, "labels", shape);
    for (int64_t i = 0; i < rows && labels[i] >= 0 && labels[i] < classes; ++i)
      found.push_back({rectangle(boxes + 4 * i), scores[i], static_cast<int>(labels[i])});
  } else {
    found = select(boxes, scores, rows, size);
  }
  const float x = static_cast<float>(small.cols) / static_cast<float>(part.width);
  const float y = static_cast<float>(small.rows) / static_cast<float>(part.height);
  const cv::Point2f place(part.tl());
  const cv::Rect2f whole(0, 0, static_cast<float>(image.cols), static_cast<float>(image.rows));
  for (Detection& one : found) {
    const cv::Rect2f& b = one.box;
    one.box = (cv::Rect2f(b.x / x, b.y / y, b.width / x, b.height / y) + place) & whole;
  }
  return found;
}

std::vector<Detection> Detector::select(const float* boxes, const float* scores, int64_t points,
                                        cv::Size size) const {
  const auto classes = static_cast<int64_t>(about_.class_names.size());
  std::vector<Detection> found;
  std::vector<size_t> ends;  // of each level in `found`
  int64_t point = 0, end = 0;
  for (const int stride : about_.strides) {
    end += static_cast<int64_t>((size.width + stride - 1) / stride) *
           ((size.height + stride - 1) / stride);
    for (; point < std::min(end, points); ++point) {
      const float* row = scores + point * classes;
      const int64_t best = about_.best_label ? std::max_element(row, row + classes) - row : -1;
      for (int64_t label = 0; label < classes; ++label)
        if ((best < 0 || label == best) && row[label] > about_.score)
          found.push_back({rectangle(boxes + 4 * point), row[label], static_cast<int>(label)});
    }
    ends.push_back(found.size());
  }
  const auto limit = static_cast<size_t>(about_.candidates);
  if (found.size() > limit) {  // then each level keeps its best
    std::vector<Detection> best;
    size_t begin = 0;
    for (const size_t stop : ends) {
      const auto from = found.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto to = found.begin() + static_cast<std::ptrdiff_t>(stop);
      std::stable_sort(from, to, better);
      best.insert(best.end(), from, from + static_cast<std::ptrdiff_t>(std::min(limit, stop - begin)));
      begin = stop;
    }
    found = std::move(best);
  }
  return nms(std::move(found), about_.nms, static_cast<size_t>(about_.max_detections));
}
