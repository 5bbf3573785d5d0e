// Detection with an ONNX file of otadet: ONNX Runtime and OpenCV, nothing else.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "boxes.h"
#include "tiles.h"

// What the file says of itself; see demo/onnxruntime/README.md for the entries.
struct About {
  std::vector<std::string> class_names;
  std::vector<int> category_ids;             // of the training data; empty where it had none
  std::vector<int> strides;
  bool uint8 = false, rgb = true;            // type and colour order of the input
  bool letterbox = true;                     // otherwise the shorter side decides
  bool best_label = false;                   // of a point only its best class counts
  bool has_nms = false;                      // the outputs are detections
  int first = 0, second = 0;                 // numbers of the resize rule
  int multiple = 32, padding = 114;          // of the input's sides; grey value around the image
  float score = 0, nms = 0;                  // thresholds
  float default_score = 0.3f;                // for use where no other is given
  int max_detections = 0, candidates = 0;    // of the image; of a level, when there are more
  TileRule tiles;                            // not in older files
};

class Detector {
 public:
  // Throws std::runtime_error with one line for a file that otadet did not write.
  explicit Detector(const std::string& path, int threads = 0);

  // Detections by falling score; `image` is 8-bit BGR, as OpenCV reads it. In tiles, where the file
  // says so and the image is larger than one.
  std::vector<Detection> operator()(const cv::Mat& image);

  const About& about() const { return about_; }

 private:
  // Detections of a part of an image, in the image's pixels.
  std::vector<Detection> look(const cv::Mat& image, const cv::Rect& part);
  cv::Mat resized(const cv::Mat& image) const;
  std::vector<Detection> select(const float* boxes, const float* scores, int64_t points,
                                cv::Size size) const;

  Ort::Env env_;
  Ort::Session session_;
  About about_;
  std::string path_, input_;
  std::vector<std::string> outputs_;
};
