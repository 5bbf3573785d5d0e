#include "tiles.h"

#include <algorithm>

namespace {

constexpr float kSlack = 8;      // pixels by which a box's centre may miss its tile's core
constexpr float kTouch = 3;      // a box that ends so near to an inner border is cut by it
constexpr float kInside = 0.6f;  // more of a cut box than this inside a better one: a part of it

struct Span {
  int begin, end;   // of a tile along a side
  float low, high;  // of its core
};

// The last tile is moved in.
std::vector<Span> spans(int length, const TileRule& rule) {
  const int last = std::max(0, length - rule.size);
  std::vector<int> starts;
  for (int start = 0; start < last; start += rule.size - rule.overlap) starts.push_back(start);
  starts.push_back(last);
  std::vector<Span> found;
  float low = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int end = std::min(starts[i] + rule.size, length);
    const float high = i + 1 < starts.size() ? static_cast<float>(end + starts[i + 1]) / 2
                                             : static_cast<float>(length);
    found.push_back({starts[i], end, low, high});
    low = high;
  }
  return found;
}

// A detection among those of all tiles.
struct Candidate {
  Detection one;
  cv::Rect frame;  // its tile, or the whole image
  bool cut;        // by an inner border of its tile
};

float longer(const Detection& one) { return std::max(one.box.width, one.box.height); }

bool is_cut(const cv::Rect2f& box, const cv::Rect& tile, cv::Size image) {
  const cv::Rect2f inner(tile);
  return (tile.x > 0 && box.x <= inner.x + kTouch) || (tile.y > 0 && box.y <= inner.y + kTouch) ||
         (tile.br().x < image.width && box.br().x >= inner.br().x - kTouch) ||
         (tile.br().y < image.height && box.br().y >= inner.br().y - kTouch);
}

bool is_own(const Detection& one, const Tile& tile, int overlap) {
  const float x = one.box.x + one.box.width / 2, y = one.box.y + one.box.height / 2;
  const cv::Rect2f& core = tile.core;
  return longer(one) > static_cast<float>(overlap) ||
         (core.x - kSlack <= x && x <= core.br().x + kSlack && core.y - kSlack <= y &&
          y <= core.br().y + kSlack);
}

bool meet(const cv::Rect& a, const cv::Rect& b) {
  return a.x <= b.br().x && b.x <= a.br().x && a.y <= b.br().y && b.y <= a.br().y;
}

bool is_part(const Candidate& part, const std::vector<Candidate>& all) {
  if (!part.cut) return false;
  const float area = part.one.box.area();
  return std::any_of(all.begin(), all.end(), [&](const Candidate& other) {
    return other.frame != part.frame && meet(other.frame, part.frame) &&
           other.one.label == part.one.label &&
           (!other.cut || other.one.box.area() > area) &&
           (other.one.box & part.one.box).area() > kInside * std::max(area, 1e-6f);
  });
}

}  // namespace

std::vector<Tile> tiles_of(cv::Size image, const TileRule& rule) {
  std::vector<Tile> found;
  for (const Span& y : spans(image.height, rule))
    for (const Span& x : spans(image.width, rule))
      found.push_back({cv::Rect(x.begin, y.begin, x.end - x.begin, y.end - y.begin),
                       cv::Rect2f(x.low, y.low, x.high - x.low, y.high - y.low)});
  return found;
}

std::vector<Detection> merge(const std::vector<std::vector<Detection>>& found,
                             const std::vector<Tile>& tiles, cv::Size image, int overlap,
                             const std::vector<Detection>& whole, float threshold, size_t count) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < found.size(); ++i)
    for (const Detection& one : found[i])
      if (is_own(one, tiles[i], overlap)) 
        all.push_back({one, tiles[i].box, is_cut(one.box, tiles[i].box, image)});
  for (const Detection& one : whole)  // smaller objects lie whole in a tile
    if (longer(one) > static_cast<float>(overlap)) 
      all.push_back({one, cv::Rect({0, 0}, image), false});
  std::vector<Detection> kept;
  for (const Candidate& each : all)
    if (!is_part(each, all)) kept.push_back(each.one);
  return nms(std::move(kept), threshold, count);
}
