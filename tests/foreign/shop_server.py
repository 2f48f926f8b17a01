"""A shop that knows nothing of Tutti. It is idempotent in its own way: one request token, one order."""

import sys
from concurrent import futures

import grpc
import shop_pb2

STOCK = {"vinyl": 3}


class Shop:
    """All orders, by request token. A token that was cancelled before it was ever placed stays cancelled."""

    def __init__(self):
        self.orders = {}

    def place_order(self, request, context):
        order = self.orders.get(request.request_token)
        if order is None:
            taken = sum(o.quantity for o in self.orders.values() if o.article == request.article and not o.cancelled)
            if taken + request.quantity > STOCK.get(request.article, 0):
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"only {STOCK.get(request.article, 0) - taken} left")
            order = shop_pb2.Order(order_number=f"A{len(self.orders) + 1}", article=request.article,
                                   quantity=request.quantity)
            self.orders[request.request_token] = order
        if order.cancelled:
            context.abort(grpc.StatusCode.ABORTED, "this order was cancelled")
        return shop_pb2.PlaceOrderResponse(order=order)

    def cancel_order(self, request, context):
        order = self.orders.setdefault(request.request_token, shop_pb2.Order())
        order.cancelled = True
        return shop_pb2.CancelOrderResponse()

    def list_orders(self, request, context):
        return shop_pb2.ListOrdersResponse(orders=[order for order in self.orders.values() if order.order_number])


def handler(function, request_class):
    return grpc.unary_unary_rpc_method_handler(function, request_deserializer=request_class.FromString,
                                               response_serializer=lambda message: message.SerializeToString())


def main():
    shop = Shop()
    server = grpc.server(futures.ThreadPoolExecutor(1))  # one at a time: the dictionary needs no lock
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("acme.shop.v1.Shop", {
        "PlaceOrder": handler(shop.place_order, shop_pb2.PlaceOrderRequest),
        "CancelOrder": handler(shop.cancel_order, shop_pb2.CancelOrderRequest),
        "ListOrders": handler(shop.list_orders, shop_pb2.ListOrdersRequest),
    }),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()  # until whoever started it is gone
    server.stop(None).wait()


if __name__ == "__main__":
    main()
