"""A small shop: products with images, carts, and orders that a worker sends off."""
