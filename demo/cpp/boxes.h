// Detections, and which of two of the same object stays.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

// One object: the box in pixels of the image, its score, its class.
struct Detection {
  cv::Rect2f box;
  float score;
  int label;
};

bool better(const Detection& a, const Detection& b);

// The best `count` of those that no better one of their class overlaps by more than `threshold`.
std::vector<Detection> nms(std::vector<Detection> found, float threshold, size_t count);
