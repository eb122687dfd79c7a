// A store of a test's own, and rows for it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "controller/store.h"

namespace controller {

/// in     path: of the database, or ":memory:"
inline std::unique_ptr<Store> open_store(const std::string& path) {
  auto store = Store::open(path);
  EXPECT_TRUE(store.has_value()) << (store ? "" : store.error().what);
  return std::move(*store);
}

inline DeviceRow device_row(const std::string& id, const std::string& name) {
  DeviceRow row;
  row.id = id;
  row.name = name;
  row.public_key = "key of " + name;
  row.enrolled_ms = 5;
  row.certificate_until_ms = 6;
  row.facts.mutable_inventory()->set_board("x86_64-generic");
  return row;
}

}  // namespace controller
