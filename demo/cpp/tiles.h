// How a large image is cut into tiles, and their detections made those of the image.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "boxes.h"

// What the file says of tiles; a size of 0 takes images whole.
struct TileRule {
  int size = 0, overlap = 0;  // pixels of the image; neighbours share at least the overlap
  bool whole = false;         // also one pass over the whole image
};

// A tile, and the part of it that no other tile is nearer to.
struct Tile {
  cv::Rect box;
  cv::Rect2f core;
};

// The tiles of an image, row by row.
std::vector<Tile> tiles_of(cv::Size image, const TileRule& rule);

// Detections of tiles, and of the whole image where there was such a pass, as those of the image.
//
// A tile answers for what has its centre in its core and for what is larger than the overlap. A box
// that its border cuts gives way to a better one that holds most of it. Then NMS.
std::vector<Detection> merge(const std::vector<std::vector<Detection>>& found,
                             const std::vector<Tile>& tiles, cv::Size image, int overlap,
                             const std::vector<Detection>& whole, float threshold, size_t count);
