import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.jws.WebMethod;
import javax.jws.WebParam;
import javax.jws.WebResult;
import javax.jws.WebService;
import javax.jws.soap.SOAPBinding;
import javax.xml.namespace.QName;
import javax.xml.soap.SOAPException;
import javax.xml.soap.SOAPFactory;
import javax.xml.ws.Endpoint;
import javax.xml.ws.soap.SOAPFaultException;

/** The rpc service of calls.wsdl with JAX-WS's reference implementation (Metro). */
@WebService(name = "Calls", targetNamespace = "urn:example:calls", serviceName = "Calls")
@SOAPBinding(style = SOAPBinding.Style.RPC)
public class Calls {
    private static final Set<String> failed = ConcurrentHashMap.newKeySet();

    @WebMethod(operationName = "RecordCall")
    @WebResult(name = "result")
    public String recordCall(@WebParam(name = "callId") String callId, @WebParam(name = "agent") String agent) {
        System.out.println("{\"callId\":\"" + callId + "\",\"agent\":\"" + agent.replace("\\", "\\\\").replace("\"", "\\\"") + "\"}");
        if (callId.startsWith("client")) {
            throw fault("Client", "no such call: " + callId);
        }
        if (callId.startsWith("server") && failed.add(callId)) {
            throw fault("Server", "try later");
        }
        return "taken";
    }

    private static SOAPFaultException fault(String code, String text) {
        try {
            QName name = new QName("http://schemas.xmlsoap.org/soap/envelope/", code);
            return new SOAPFaultException(SOAPFactory.newInstance().createFault(text, name));
        } catch (SOAPException e) {
            throw new IllegalStateException(e);
        }
    }

    public static void main(String[] args) {
        Endpoint.publish("http://" + args[0] + "/calls", new Calls());
    }
}
