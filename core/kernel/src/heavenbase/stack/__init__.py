"""What a call goes through: the middlewares by place, the attempt at the end, and what the kernel lends to them."""
