"""Working fakes that ship with the product, so that laboratories can test with them."""
