#include "boxes.h"

#include <algorithm>

bool better(const Detection& a, const Detection& b) { return a.score > b.score; }

namespace {

float overlap(const cv::Rect2f& a, const cv::Rect2f& b) {
  const float common = (a & b).area();
  return common / (a.area() + b.area() - common);
}

}  // namespace

std::vector<Detection> nms(std::vector<Detection> found, float threshold, size_t count) {
  std::stable_sort(found.begin(), found.end(), better);
  std::vector<Detection> kept;
  for (const Detection& one : found) {
    if (kept.size() == count) break;
    const bool hidden = std::any_of(kept.begin(), kept.end(), [&](const Detection& above) {
      return above.label == one.label && overlap(above.box, one.box) > threshold;
    });
    if (!hidden) kept.push_back(one);
  }
  return kept;
}
