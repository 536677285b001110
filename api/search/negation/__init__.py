"""Negation in words ("没戴眼镜的猫", "a street without people") -> what to look for, and what to stay away from."""
