"""The main job, shown and proved: a throttled build comes back by itself, and two look-alikes are left alone."""
